using System.Buffers.Binary;
using Redoubt.Wal;

namespace Redoubt.Storage.LogFiles;

/// <summary>
/// What stands before every frame in a log file, so that files can be recycled without zeroing them and a torn tail can be told from damage.
/// </summary>
/// <remarks>
/// Little-endian, 32 bytes, at multiples of 8: magic <c>RDSE</c>, u32 frame length, u64 file sequence, u32 offset of the envelope,
/// u32 offset up to which the file was fsynced when this was written, u32 1 for a filler (what stood there was damaged and was repaired
/// elsewhere; its bytes mean nothing) else 0, u32 CRC-32C of the 28 bytes before.
/// </remarks>
internal readonly record struct LogEnvelope(int FrameLength, ulong File, int Offset, int SyncedTo, bool IsFiller = false)
{
    public const int Length = 32;
    private const uint Magic = 0x45534452;

    /// <summary>Bytes that a frame takes in a file.</summary>
    public static int Footprint(int frameLength) => (Length + frameLength + 7) & ~7;

    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(destination[4..], FrameLength);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], File);
        BinaryPrimitives.WriteInt32LittleEndian(destination[16..], Offset);
        BinaryPrimitives.WriteInt32LittleEndian(destination[20..], SyncedTo);
        BinaryPrimitives.WriteInt32LittleEndian(destination[24..], IsFiller ? 1 : 0);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[28..], Crc32C.Compute(destination[..28]));
    }

    /// <summary>True when a whole envelope that belongs to this file and place begins here.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, ulong file, int offset, out LogEnvelope envelope)
    {
        envelope = default;
        if (source.Length < Length
            || BinaryPrimitives.ReadUInt32LittleEndian(source) != Magic
            || BinaryPrimitives.ReadUInt32LittleEndian(source[28..]) != Crc32C.Compute(source[..28]))
        {
            return false;
        }

        envelope = new LogEnvelope(
            BinaryPrimitives.ReadInt32LittleEndian(source[4..]),
            BinaryPrimitives.ReadUInt64LittleEndian(source[8..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[16..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[20..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[24..]) == 1);
        return envelope.File == file && envelope.Offset == offset && envelope.FrameLength > 0;
    }
}
