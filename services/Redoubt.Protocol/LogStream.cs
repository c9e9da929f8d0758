using System.Buffers.Binary;
using System.Text;

namespace Redoubt.Protocol;

/// <summary>
/// The commit path's own wire format, on the same port as gRPC (docs/decisions/0008): a connection that begins with <see cref="Magic"/> instead
/// of HTTP/2's preface is a writer's log stream to one segment. The same conversation as SegmentService.Append, without HTTP/2 and message objects.
/// </summary>
/// <remarks>
/// Little-endian. Hello: u32 magic, u32 length of what follows, u64 epoch, u32 group, u16 length and bytes of the volume id, u16 length and bytes of
/// the shared secret. Batch: u32 length of what follows, u64 vdl, u64 group vdl, u64 gc horizon, frame (may be empty). Ack: u64 scl, u64 applied,
/// u64 epoch, u64 durable end. Errors close the connection; why is what SegmentService.GetState says.
/// </remarks>
public static class LogStream
{
    /// <summary><c>RDLS</c>.</summary>
    public const uint Magic = 0x534C4452;

    /// <summary>Bytes of a batch before its frame.</summary>
    public const int BatchHeaderLength = 4 + 24;

    /// <summary>Bytes of an acknowledgement.</summary>
    public const int AckLength = 32;

    /// <summary>Bytes of a hello before what its length counts.</summary>
    public const int HelloPrefixLength = 8;

    /// <summary>A hello is not longer (bytes).</summary>
    public const int MaxHello = 4096;

    /// <summary>Makes a hello.</summary>
    public static byte[] Hello(string volume, int group, ulong epoch, string secret)
    {
        int volumeLength = Encoding.UTF8.GetByteCount(volume);
        int secretLength = Encoding.UTF8.GetByteCount(secret);
        var hello = new byte[HelloPrefixLength + 16 + volumeLength + secretLength];
        BinaryPrimitives.WriteUInt32LittleEndian(hello, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(hello.AsSpan(4), hello.Length - HelloPrefixLength);
        BinaryPrimitives.WriteUInt64LittleEndian(hello.AsSpan(8), epoch);
        BinaryPrimitives.WriteInt32LittleEndian(hello.AsSpan(16), group);
        BinaryPrimitives.WriteUInt16LittleEndian(hello.AsSpan(20), (ushort)volumeLength);
        Encoding.UTF8.GetBytes(volume, hello.AsSpan(22));
        BinaryPrimitives.WriteUInt16LittleEndian(hello.AsSpan(22 + volumeLength), (ushort)secretLength);
        Encoding.UTF8.GetBytes(secret, hello.AsSpan(24 + volumeLength));
        return hello;
    }

    /// <summary>Reads a hello after its first eight bytes; false when it is none.</summary>
    public static bool TryReadHello(ReadOnlySpan<byte> body, out string volume, out int group, out ulong epoch, out string secret)
    {
        (volume, group, epoch, secret) = (string.Empty, 0, 0, string.Empty);
        if (body.Length < 16)
        {
            return false;
        }

        epoch = BinaryPrimitives.ReadUInt64LittleEndian(body);
        group = BinaryPrimitives.ReadInt32LittleEndian(body[8..]);
        int volumeLength = BinaryPrimitives.ReadUInt16LittleEndian(body[12..]);
        if (body.Length < 16 + volumeLength)
        {
            return false;
        }

        volume = Encoding.UTF8.GetString(body.Slice(14, volumeLength));
        body = body[(14 + volumeLength)..];
        int secretLength = BinaryPrimitives.ReadUInt16LittleEndian(body);
        if (body.Length != 2 + secretLength)
        {
            return false;
        }

        secret = Encoding.UTF8.GetString(body[2..]);
        return true;
    }

    /// <summary>Writes what comes before a batch's frame.</summary>
    public static void WriteBatchHeader(Span<byte> destination, ulong vdl, ulong groupVdl, ulong gcHorizon, int frameLength)
    {
        BinaryPrimitives.WriteInt32LittleEndian(destination, BatchHeaderLength - 4 + frameLength);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[4..], vdl);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[12..], groupVdl);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[20..], gcHorizon);
    }

    /// <summary>Writes an acknowledgement.</summary>
    public static void WriteAck(Span<byte> destination, ulong scl, ulong applied, ulong epoch, ulong durableEnd)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(destination, scl);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], applied);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], epoch);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[24..], durableEnd);
    }
}
