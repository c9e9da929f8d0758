using System.Buffers.Binary;
using System.Globalization;

namespace Redoubt.Wal;

/// <summary>What a page belongs to: a fork of a relation (<c>ForkNumber</c>, common/relpath.h) or an SLRU (access/slru.h).</summary>
public enum Fork : byte
{
    /// <summary><c>MAIN_FORKNUM</c>.</summary>
    Main = 0,

    /// <summary><c>FSM_FORKNUM</c>.</summary>
    FreeSpaceMap = 1,

    /// <summary><c>VISIBILITYMAP_FORKNUM</c>.</summary>
    VisibilityMap = 2,

    /// <summary><c>INIT_FORKNUM</c>: what an unlogged relation is reset to.</summary>
    Init = 3,

    /// <summary>Commit log, folder <c>pg_xact</c>.</summary>
    SlruXact = 16,

    /// <summary>Folder <c>pg_multixact/offsets</c>.</summary>
    SlruMultiXactOffsets = 17,

    /// <summary>Folder <c>pg_multixact/members</c>.</summary>
    SlruMultiXactMembers = 18,

    /// <summary>Folder <c>pg_commit_ts</c>.</summary>
    SlruCommitTs = 19,
}

/// <summary>A relation's file identity (<c>RelFileLocator</c>, storage/relfilelocator.h).</summary>
public readonly record struct RelFileLocator(uint SpcOid, uint DbOid, uint RelNumber)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{SpcOid}/{DbOid}/{RelNumber}");
}

/// <summary>
/// The name of one 8 KiB page: a block of a relation fork, or a page of an SLRU (then <see cref="Rel"/> is all zero and
/// <see cref="Block"/> is the SLRU page number, counted over all of its 32-page files).
/// </summary>
public readonly record struct PageKey(RelFileLocator Rel, Fork Fork, uint Block) : IComparable<PageKey>
{
    /// <summary>Bytes of <see cref="Write"/>.</summary>
    public const int EncodedLength = 17;

    /// <summary>The key of page <paramref name="page"/> of an SLRU.</summary>
    public static PageKey Slru(Fork slru, uint page) => new(default, slru, page);

    /// <summary>True for pages of pg_xact, pg_multixact and pg_commit_ts.</summary>
    public bool IsSlru => Fork >= Fork.SlruXact;

    /// <summary>Writes 17 bytes whose byte order is the order of keys: space, database, relation, fork, block, big-endian.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, Rel.SpcOid);
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], Rel.DbOid);
        BinaryPrimitives.WriteUInt32BigEndian(destination[8..], Rel.RelNumber);
        destination[12] = (byte)Fork;
        BinaryPrimitives.WriteUInt32BigEndian(destination[13..], Block);
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public static PageKey Read(ReadOnlySpan<byte> source) => new(
        new RelFileLocator(
            BinaryPrimitives.ReadUInt32BigEndian(source),
            BinaryPrimitives.ReadUInt32BigEndian(source[4..]),
            BinaryPrimitives.ReadUInt32BigEndian(source[8..])),
        (Fork)source[12],
        BinaryPrimitives.ReadUInt32BigEndian(source[13..]));

    /// <inheritdoc/>
    public int CompareTo(PageKey other)
    {
        int c = Rel.SpcOid.CompareTo(other.Rel.SpcOid);
        c = c != 0 ? c : Rel.DbOid.CompareTo(other.Rel.DbOid);
        c = c != 0 ? c : Rel.RelNumber.CompareTo(other.Rel.RelNumber);
        c = c != 0 ? c : Fork.CompareTo(other.Fork);
        return c != 0 ? c : Block.CompareTo(other.Block);
    }

    /// <inheritdoc/>
    public override string ToString() => IsSlru
        ? string.Create(CultureInfo.InvariantCulture, $"{Fork} page {Block}")
        : string.Create(CultureInfo.InvariantCulture, $"{Rel} {Fork} block {Block}");
}
