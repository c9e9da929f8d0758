using System.Buffers.Binary;
using System.Text;
using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <summary>
/// Keys of the page store. First byte: what it is. All keys of versions end in the LSN, big-endian, so that the newest at or below R is one seek.
/// </summary>
/// <remarks>
/// <c>P</c> page key (17), LSN (8), ordinal in the record (2) → changes from there on, or image. <c>F</c> relation (12), fork (1), LSN → blocks.
/// <c>K</c> relation (12), fork (1, 255 = all), LSN → blocks: versions at or below that LSN of blocks from there on are gone; relation number 0 = whole database; of an SLRU (relation all zero) the page that older ones are gone before.
/// <c>S</c> path, 0, LSN → small file. <c>B</c> database, space, LSN. <c>T</c> space, LSN → path. <c>X</c> full xid, LSN → prepared state.
/// <c>A</c> relation (12), stripe (4) → <see cref="FreeSpaceRow"/>; <c>D</c> relation, stripe: that row is stale. Both without versions: free space is advice.
/// <c>O</c> origin (2), LSN. <c>C</c> LSN → ControlState. <c>M</c> name → this store's own state.
/// </remarks>
internal static class StoreKeys
{
    public const byte Page = (byte)'P';
    public const byte ForkSize = (byte)'F';
    public const byte Cut = (byte)'K';
    public const byte SmallFile = (byte)'S';
    public const byte Database = (byte)'B';
    public const byte Tablespace = (byte)'T';
    public const byte Prepared = (byte)'X';
    public const byte Origin = (byte)'O';
    public const byte Control = (byte)'C';
    public const byte Meta = (byte)'M';
    public const byte FreeSpace = (byte)'A';
    public const byte FreeSpaceStale = (byte)'D';

    public const int PageLength = 1 + PageKey.EncodedLength + 8 + 2;
    public const int PagePrefix = 1 + PageKey.EncodedLength;
    public const int ForkLength = 1 + 12 + 1 + 8;
    public const int StripeLength = 1 + 12 + 4;

    /// <summary>Ordinal of an image made from all changes of that LSN.</summary>
    public const ushort AfterAll = ushort.MaxValue;

    public static readonly byte[] Applied = "Mapplied"u8.ToArray();
    public static readonly byte[] Rebuild = "Mrebuild"u8.ToArray();

    /// <summary>LSN up to which images may stand between changes that are still to be applied.</summary>
    public static readonly byte[] ImagesAhead = "Mimages"u8.ToArray();

    public static void WritePage(Span<byte> to, in PageKey key, ulong lsn, ushort ordinal)
    {
        to[0] = Page;
        key.Write(to[1..]);
        BinaryPrimitives.WriteUInt64BigEndian(to[PagePrefix..], lsn);
        BinaryPrimitives.WriteUInt16BigEndian(to[(PagePrefix + 8)..], ordinal);
    }

    public static void WriteFork(Span<byte> to, byte kind, in RelFileLocator rel, byte fork, ulong lsn)
    {
        to[0] = kind;
        BinaryPrimitives.WriteUInt32BigEndian(to[1..], rel.SpcOid);
        BinaryPrimitives.WriteUInt32BigEndian(to[5..], rel.DbOid);
        BinaryPrimitives.WriteUInt32BigEndian(to[9..], rel.RelNumber);
        to[13] = fork;
        BinaryPrimitives.WriteUInt64BigEndian(to[14..], lsn);
    }

    public static (RelFileLocator Rel, byte Fork, ulong Lsn) ReadFork(ReadOnlySpan<byte> key) => (
        new RelFileLocator(
            BinaryPrimitives.ReadUInt32BigEndian(key[1..]),
            BinaryPrimitives.ReadUInt32BigEndian(key[5..]),
            BinaryPrimitives.ReadUInt32BigEndian(key[9..])),
        key[13],
        BinaryPrimitives.ReadUInt64BigEndian(key[14..]));

    public static void WriteStripe(Span<byte> to, byte kind, in HeapStripe stripe)
    {
        to[0] = kind;
        BinaryPrimitives.WriteUInt32BigEndian(to[1..], stripe.Rel.SpcOid);
        BinaryPrimitives.WriteUInt32BigEndian(to[5..], stripe.Rel.DbOid);
        BinaryPrimitives.WriteUInt32BigEndian(to[9..], stripe.Rel.RelNumber);
        BinaryPrimitives.WriteUInt32BigEndian(to[13..], stripe.Number);
    }

    public static HeapStripe ReadStripe(ReadOnlySpan<byte> key) => new(
        new RelFileLocator(
            BinaryPrimitives.ReadUInt32BigEndian(key[1..]),
            BinaryPrimitives.ReadUInt32BigEndian(key[5..]),
            BinaryPrimitives.ReadUInt32BigEndian(key[9..])),
        BinaryPrimitives.ReadUInt32BigEndian(key[13..]));

    /// <summary>LSN in a page row's key.</summary>
    public static ulong PageLsn(ReadOnlySpan<byte> key) => BinaryPrimitives.ReadUInt64BigEndian(key[PagePrefix..]);

    /// <summary>True for a page's row that is known to be an image by its key.</summary>
    public static bool IsMadeImage(ReadOnlySpan<byte> key) => BinaryPrimitives.ReadUInt16BigEndian(key[(PagePrefix + 8)..]) == AfterAll;

    /// <summary>LSN at the end of any other version's key.</summary>
    public static ulong LsnOf(ReadOnlySpan<byte> key) => BinaryPrimitives.ReadUInt64BigEndian(key[^8..]);

    public static byte[] Versioned(byte kind, ReadOnlySpan<byte> name, ulong lsn)
    {
        var key = new byte[1 + name.Length + 8];
        key[0] = kind;
        name.CopyTo(key.AsSpan(1));
        BinaryPrimitives.WriteUInt64BigEndian(key.AsSpan(1 + name.Length), lsn);
        return key;
    }

    /// <summary>Name part of a small file's key: the path and a zero, so that no path is another's prefix.</summary>
    public static byte[] PathName(string path) => Encoding.UTF8.GetBytes(path + "\0");

    public static byte[] Numbers(uint a, uint b)
    {
        var name = new byte[8];
        BinaryPrimitives.WriteUInt32BigEndian(name, a);
        BinaryPrimitives.WriteUInt32BigEndian(name.AsSpan(4), b);
        return name;
    }

    public static byte[] Number(ulong value)
    {
        var name = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(name, value);
        return name;
    }
}
