using System.Buffers.Binary;
using System.Numerics;

namespace Redoubt.Wal;

/// <summary>CRC-32C (Castagnoli) as PostgreSQL computes it (port/pg_crc32c.h): of records, pg_control, state files, and of our own frames.
/// Uses the processor's instruction where there is one.</summary>
public static class Crc32C
{
    /// <summary>State before the first byte (<c>INIT_CRC32C</c>).</summary>
    public const uint Initial = 0xFFFFFFFF;

    /// <summary>The checksum of one piece of bytes.</summary>
    public static uint Compute(ReadOnlySpan<byte> bytes) => Finish(Append(Initial, bytes));

    /// <summary>State after more bytes (<c>COMP_CRC32C</c>).</summary>
    public static uint Append(uint state, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= 8)
        {
            state = BitOperations.Crc32C(state, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }

        foreach (byte b in bytes)
        {
            state = BitOperations.Crc32C(state, b);
        }

        return state;
    }

    /// <summary>State after eight more bytes, little-endian.</summary>
    public static uint Append(uint state, ulong value) => BitOperations.Crc32C(state, value);

    /// <summary>The checksum of everything appended (<c>FIN_CRC32C</c>).</summary>
    public static uint Finish(uint state) => ~state;
}
