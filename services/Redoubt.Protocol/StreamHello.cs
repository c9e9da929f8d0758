using System.Buffers.Binary;
using System.Text;

namespace Redoubt.Protocol;

/// <summary>
/// What a raw stream on the gRPC port begins with (docs/decisions/0008): a magic number instead of HTTP/2's preface says which kind it is, the rest
/// which segment it is for.
/// </summary>
/// <remarks>Little-endian: u32 magic, u32 length of what follows, u64 epoch, u32 group, u16 length and bytes of the volume id, u16 length and bytes of the
/// shared secret.</remarks>
/// <param name="Magic"><see cref="LogStream.Magic"/> or <see cref="PageStream.Magic"/>.</param>
/// <param name="Volume">Volume id.</param>
/// <param name="Group">Protection group.</param>
/// <param name="Epoch">The caller's.</param>
/// <param name="Secret">Shared secret; empty: none.</param>
public sealed record StreamHello(uint Magic, string Volume, int Group, ulong Epoch, string Secret)
{
    /// <summary>Bytes before what the length counts.</summary>
    public const int PrefixLength = 8;

    /// <summary>What follows is not longer (bytes).</summary>
    public const int MaxLength = 4096;

    /// <summary>The whole hello.</summary>
    public byte[] Encode()
    {
        int volumeLength = Encoding.UTF8.GetByteCount(Volume);
        int secretLength = Encoding.UTF8.GetByteCount(Secret);
        var hello = new byte[PrefixLength + 16 + volumeLength + secretLength];
        BinaryPrimitives.WriteUInt32LittleEndian(hello, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(hello.AsSpan(4), hello.Length - PrefixLength);
        BinaryPrimitives.WriteUInt64LittleEndian(hello.AsSpan(8), Epoch);
        BinaryPrimitives.WriteInt32LittleEndian(hello.AsSpan(16), Group);
        BinaryPrimitives.WriteUInt16LittleEndian(hello.AsSpan(20), (ushort)volumeLength);
        Encoding.UTF8.GetBytes(Volume, hello.AsSpan(22));
        BinaryPrimitives.WriteUInt16LittleEndian(hello.AsSpan(22 + volumeLength), (ushort)secretLength);
        Encoding.UTF8.GetBytes(Secret, hello.AsSpan(24 + volumeLength));
        return hello;
    }

    /// <summary>Reads a hello after its prefix; null when it is none.</summary>
    public static StreamHello? Decode(uint magic, ReadOnlySpan<byte> body)
    {
        if (body.Length < 16)
        {
            return null;
        }

        ulong epoch = BinaryPrimitives.ReadUInt64LittleEndian(body);
        int group = BinaryPrimitives.ReadInt32LittleEndian(body[8..]);
        int volumeLength = BinaryPrimitives.ReadUInt16LittleEndian(body[12..]);
        if (body.Length < 16 + volumeLength)
        {
            return null;
        }

        string volume = Encoding.UTF8.GetString(body.Slice(14, volumeLength));
        body = body[(14 + volumeLength)..];
        int secretLength = BinaryPrimitives.ReadUInt16LittleEndian(body);
        return body.Length == 2 + secretLength ? new StreamHello(magic, volume, group, epoch, Encoding.UTF8.GetString(body[2..])) : null;
    }
}
