using System.Buffers.Binary;

namespace Redoubt.Protocol;

/// <summary>
/// The commit path's own wire format, on the same port as gRPC (docs/decisions/0008): after a <see cref="StreamHello"/> a writer's log stream to one
/// segment. The same conversation as SegmentService.Append, without HTTP/2 and message objects.
/// </summary>
/// <remarks>
/// Little-endian. Batch: u32 length of what follows, u64 vdl, u64 group vdl, u64 gc horizon, u64 the writer's clock, frame (may be empty). Ack: u64 scl,
/// u64 applied, u64 epoch, u64 the clock of the newest batch that had come when the epoch was looked at: so a writer knows until when at least it was
/// the newest one, however late it reads that. Errors close the connection; why is what SegmentService.GetState says.
/// </remarks>
public static class LogStream
{
    /// <summary><c>RDLS</c>.</summary>
    public const uint Magic = 0x534C4452;

    /// <summary>Bytes of a batch before its frame.</summary>
    public const int BatchHeaderLength = 4 + 32;

    /// <summary>Bytes of an acknowledgement.</summary>
    public const int AckLength = 32;

    /// <summary>Writes what comes before a batch's frame.</summary>
    public static void WriteBatchHeader(Span<byte> destination, ulong vdl, ulong groupVdl, ulong gcHorizon, ulong clock, int frameLength)
    {
        BinaryPrimitives.WriteInt32LittleEndian(destination, BatchHeaderLength - 4 + frameLength);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[4..], vdl);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[12..], groupVdl);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[20..], gcHorizon);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[28..], clock);
    }

    /// <summary>Writes an acknowledgement.</summary>
    public static void WriteAck(Span<byte> destination, ulong scl, ulong applied, ulong epoch, ulong clock)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(destination, scl);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], applied);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], epoch);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[24..], clock);
    }
}
