using System.Buffers.Binary;
using Redoubt.Wal;

namespace Redoubt.Protocol;

/// <summary>
/// A log frame: entries of one group and one epoch that follow each other in the group's chain. It is what crosses the network, and what a
/// segment writes into its log, byte for byte.
/// </summary>
/// <remarks>
/// Little-endian. Header, 40 bytes: magic <c>RDLF</c>, u32 length of the whole frame, u32 CRC-32C of everything after this field,
/// u32 number of entries, u64 epoch, u64 PrevEnd of the first entry, u64 End of the last.
/// Entry: u8 kind, u32 CRC-32C (over epoch, PrevEnd, Start, End, mask ^ kind, body), varint End − PrevEnd, varint End − Start, varint group mask,
/// varint body length, body. The frame's CRC finds torn and damaged writes; the entry's own goes with it when it is framed anew for a peer.
/// </remarks>
public readonly ref struct LogFrame
{
    /// <summary>Bytes before the first entry.</summary>
    public const int HeaderLength = 40;

    /// <summary>No frame is longer (bytes): a bound on what a reader must buffer. Smaller than the smallest log file of a segment.</summary>
    public const int MaxLength = 768 << 10;

    /// <summary>No entry's body is longer (bytes). A longer record, and PostgreSQL writes some up to 1,020 MiB, travels in parts. Above every record that
    /// has only pages to change: 32 full pages are 264 KiB.</summary>
    public const int MaxBodyLength = 512 << 10;

    /// <summary>No entry takes more bytes beside its body.</summary>
    internal const int MaxEntryOverhead = 64;

    internal const uint Magic = 0x464C4452;

    private readonly ReadOnlySpan<byte> _bytes;

    private LogFrame(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Whole frame, header included.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    public int Count => (int)BinaryPrimitives.ReadUInt32LittleEndian(_bytes[12..]);

    public ulong Epoch => BinaryPrimitives.ReadUInt64LittleEndian(_bytes[16..]);

    /// <summary>Chain predecessor of the first entry.</summary>
    public Lsn PrevEnd => new(BinaryPrimitives.ReadUInt64LittleEndian(_bytes[24..]));

    /// <summary>End of the last entry.</summary>
    public Lsn End => new(BinaryPrimitives.ReadUInt64LittleEndian(_bytes[32..]));

    /// <summary>The entries, in order. Stops the enumeration with <see cref="LogFrameException"/> on the first damaged one.</summary>
    public LogFrameReader Entries => new(this);

    /// <summary>How long the frame that begins here says it is; 0 when these bytes begin no frame.</summary>
    public static int PeekLength(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderLength || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Magic)
        {
            return 0;
        }

        uint length = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
        return length is < HeaderLength or > MaxLength ? 0 : (int)length;
    }

    /// <summary>Checks magic, length and CRC of the frame at the beginning of <paramref name="bytes"/>; longer input is fine.</summary>
    /// <exception cref="LogFrameException">No whole, undamaged frame begins here.</exception>
    public static LogFrame Parse(ReadOnlySpan<byte> bytes)
    {
        int length = PeekLength(bytes);
        if (length == 0)
        {
            throw new LogFrameException($"no log frame begins here ({bytes.Length} bytes)");
        }

        if (length > bytes.Length)
        {
            throw new LogFrameException($"log frame of {length} bytes is cut off after {bytes.Length}");
        }

        bytes = bytes[..length];
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]) != Crc32C.Compute(bytes[12..]))
        {
            throw new LogFrameException($"log frame of {length} bytes fails its CRC");
        }

        var frame = new LogFrame(bytes);
        if (frame.Count < 1 || frame.End <= frame.PrevEnd)
        {
            throw new LogFrameException($"log frame {frame.PrevEnd}…{frame.End} of {frame.Count} entries is empty or runs backwards");
        }

        return frame;
    }
}
