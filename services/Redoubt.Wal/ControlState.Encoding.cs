using System.Buffers.Binary;

namespace Redoubt.Wal;

/// <content>The stored form: format version, PostgreSQL version, four LSNs, three CheckPoints, ControlFileData, CRC-32C.</content>
public sealed partial class ControlState
{
    private const byte EncodingVersion = 1;
    private const int EncodedHeader = 4 + (4 * 8);

    /// <summary>A compact, versioned encoding (a few hundred bytes).</summary>
    public byte[] Encode()
    {
        var bytes = new byte[EncodedHeader + (3 * CheckPointFields.Length) + _control.Length + 4];
        bytes[0] = EncodingVersion;
        bytes[1] = (byte)_version;
        var rest = bytes.AsSpan(4);
        rest = PutLsn(rest, Lsn);
        rest = PutLsn(rest, LastRecordStart);
        rest = PutLsn(rest, LastCheckpointStart);
        rest = PutLsn(rest, LastOnlineCheckpointStart);
        rest = PutBytes(rest, _now);
        rest = PutBytes(rest, _lastCheckPoint);
        rest = PutBytes(rest, _lastOnline);
        rest = PutBytes(rest, _control);
        BinaryPrimitives.WriteUInt32LittleEndian(rest, Crc32C.Compute(bytes.AsSpan(0, bytes.Length - 4)));
        return bytes;
    }

    /// <summary>What <see cref="Encode"/> wrote.</summary>
    /// <exception cref="WalFormatException">Damaged, or of an unknown version.</exception>
    public static ControlState Decode(ReadOnlySpan<byte> encoded)
    {
        if (encoded.Length < EncodedHeader || encoded[0] != EncodingVersion || encoded[1] is not ((byte)PgVersion.Pg17 or (byte)PgVersion.Pg18))
        {
            throw Bad("The stored control state is of an unknown version.");
        }

        var version = (PgVersion)encoded[1];
        int controlLength = VersionFormat.Of(version).ControlCrcOffset;
        int length = EncodedHeader + (3 * CheckPointFields.Length) + controlLength + 4;
        if (encoded.Length != length
            || BinaryPrimitives.ReadUInt32LittleEndian(encoded[^4..]) != Crc32C.Compute(encoded[..^4]))
        {
            throw Bad("The stored control state is damaged: wrong length or CRC.");
        }

        var checkPoints = encoded[EncodedHeader..];
        const int n = CheckPointFields.Length;
        return new ControlState(
            version,
            checkPoints.Slice(3 * n, controlLength).ToArray(),
            checkPoints[..n].ToArray(),
            checkPoints.Slice(n, n).ToArray(),
            checkPoints.Slice(2 * n, n).ToArray())
        {
            Lsn = GetLsn(encoded, 0),
            LastRecordStart = GetLsn(encoded, 1),
            LastCheckpointStart = GetLsn(encoded, 2),
            LastOnlineCheckpointStart = GetLsn(encoded, 3),
        };
    }

    private static Lsn GetLsn(ReadOnlySpan<byte> encoded, int index) =>
        new(BinaryPrimitives.ReadUInt64LittleEndian(encoded[(4 + (8 * index))..]));

    private static Span<byte> PutLsn(Span<byte> destination, Lsn lsn)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(destination, lsn.Value);
        return destination[8..];
    }

    private static Span<byte> PutBytes(Span<byte> destination, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(destination);
        return destination[bytes.Length..];
    }
}
