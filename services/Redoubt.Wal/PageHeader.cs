using System.Buffers.Binary;

namespace Redoubt.Wal;

/// <summary>A log page's header (<c>XLogPageHeaderData</c>, access/xlog_internal.h).</summary>
internal readonly record struct PageHeader(ushort Magic, ushort Info, uint RemainingLength)
{
    /// <summary><c>XLP_FIRST_IS_CONTRECORD</c>.</summary>
    public const ushort FirstIsContRecord = 0x0001;

    /// <summary><c>XLP_LONG_HEADER</c>.</summary>
    public const ushort LongHeader = 0x0002;

    /// <summary><c>XLP_BKP_REMOVABLE</c>.</summary>
    public const ushort BackupRemovable = 0x0004;

    /// <summary><c>XLP_FIRST_IS_OVERWRITE_CONTRECORD</c>.</summary>
    public const ushort FirstIsOverwriteContRecord = 0x0008;

    /// <summary><c>XLP_ALL_FLAGS</c>.</summary>
    public const ushort AllFlags = 0x000F;

    /// <summary>Writes the header of the page that starts at <paramref name="page"/>, short or long as its place demands; returns its length.</summary>
    public static int Write(
        PgVersion version, Span<byte> destination, Lsn page, uint timeline, ushort info, uint remainingLength, ulong systemIdentifier)
    {
        int length = WalAddress.PageHeaderLength(page);
        bool isLong = length == WalAddress.LongHeaderLength;
        destination[..length].Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(destination, VersionFormat.Of(version).PageMagic);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[2..], isLong ? (ushort)(info | LongHeader) : info);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], timeline);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], page.Value);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[16..], remainingLength);
        if (isLong)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(destination[24..], systemIdentifier);
            BinaryPrimitives.WriteUInt32LittleEndian(destination[32..], WalAddress.SegmentSize);
            BinaryPrimitives.WriteUInt32LittleEndian(destination[36..], WalAddress.PageSize);
        }

        return length;
    }
}

/// <summary>Reads and checks page headers (<c>XLogReaderValidatePageHeader</c>).</summary>
internal sealed class PageHeaderReader(PgVersion version)
{
    private readonly ushort _magic = VersionFormat.Of(version).PageMagic;

    /// <summary>Timeline of the last header read.</summary>
    public uint Timeline { get; private set; }

    /// <summary>What is wrong with a header for this place and version; null when nothing is. Magic 0 in the result: not all of it is there, or the
    /// page was never written.</summary>
    public string? Read(Lsn page, ReadOnlySpan<byte> bytes, out PageHeader header)
    {
        header = default;
        int length = WalAddress.PageHeaderLength(page);
        if (bytes.Length < length)
        {
            return null;
        }

        header = new PageHeader(
            BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            BinaryPrimitives.ReadUInt16LittleEndian(bytes[2..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]));
        if (header.Magic == 0 && bytes[..length].IndexOfAnyExcept((byte)0) < 0)
        {
            return null;
        }

        if (header.Magic != _magic)
        {
            return $"Page magic is {header.Magic:X4}, not {_magic:X4} of PostgreSQL {(int)version}.";
        }

        bool isLong = (header.Info & PageHeader.LongHeader) != 0;
        if ((header.Info & ~PageHeader.AllFlags) != 0 || isLong != (length == WalAddress.LongHeaderLength))
        {
            return $"Page flags {header.Info:X4} cannot be right for this place.";
        }

        ulong address = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
        if (address != page.Value)
        {
            return $"The page says that it is at {new Lsn(address)}.";
        }

        if (isLong
            && (BinaryPrimitives.ReadUInt32LittleEndian(bytes[32..]) != WalAddress.SegmentSize
                || BinaryPrimitives.ReadUInt32LittleEndian(bytes[36..]) != WalAddress.PageSize))
        {
            return "The segment was written with another wal_segment_size or XLOG_BLCKSZ than 16 MiB and 8 KiB.";
        }

        Timeline = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
        return null;
    }
}
