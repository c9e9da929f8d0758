using System.Buffers.Binary;
using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <summary>What a page row holds.</summary>
internal enum RowKind : byte
{
    /// <summary>A <see cref="ChangeRun"/> on the page before it.</summary>
    Change = 1,

    /// <summary>A <see cref="ChangeRun"/> that does not need the page before it.</summary>
    FirstChange = 2,

    /// <summary>The page, 8192 bytes.</summary>
    Image = 3,
}

/// <summary>Value of a page row: u8 kind, u32 CRC-32C of the payload and kind, payload (a page, or what <see cref="ChangeRun"/> says).</summary>
internal static class RowValue
{
    public const int HeaderLength = 5;

    public static void Seal(Span<byte> value, RowKind kind)
    {
        value[0] = (byte)kind;
        BinaryPrimitives.WriteUInt32LittleEndian(value[1..], Checksum(kind, value[HeaderLength..]));
    }

    /// <summary>The row of an image.</summary>
    public static byte[] OfImage(ReadOnlySpan<byte> page)
    {
        var value = new byte[HeaderLength + PageRedo.PageSize];
        page.CopyTo(value.AsSpan(HeaderLength));
        Seal(value, RowKind.Image);
        return value;
    }

    /// <summary>The payload.</summary>
    /// <exception cref="StoreCorruptException">The row fails its CRC.</exception>
    public static ReadOnlySpan<byte> Open(in PageKey key, ulong lsn, ReadOnlySpan<byte> value, out RowKind kind)
    {
        kind = value.Length > HeaderLength ? (RowKind)value[0] : 0;
        if (kind is < RowKind.Change or > RowKind.Image
            || BinaryPrimitives.ReadUInt32LittleEndian(value[1..]) != Checksum(kind, value[HeaderLength..])
            || (kind == RowKind.Image ? value.Length != HeaderLength + PageRedo.PageSize : value.Length < HeaderLength + ChangeRun.HeaderLength))
        {
            throw new StoreCorruptException($"stored version {new Lsn(lsn)} of {key} fails its CRC");
        }

        return value[HeaderLength..];
    }

    /// <summary>What a row says of itself, its CRC not looked at.</summary>
    /// <param name="first">LSN in the row's key.</param>
    /// <param name="value">The row.</param>
    /// <returns>Its kind, the LSN of its last change, and how many changes it holds.</returns>
    public static (RowKind Kind, ulong Last, int Changes) Peek(ulong first, ReadOnlySpan<byte> value) =>
        value.Length < HeaderLength + ChangeRun.HeaderLength || (RowKind)value[0] is not (RowKind.Change or RowKind.FirstChange)
            ? (RowKind.Image, first, 0)
            : ((RowKind)value[0], first + BinaryPrimitives.ReadUInt32LittleEndian(value[HeaderLength..]),
               BinaryPrimitives.ReadInt32LittleEndian(value[(HeaderLength + 4)..]));

    private static uint Checksum(RowKind kind, ReadOnlySpan<byte> payload) =>
        Crc32C.Finish(Crc32C.Append(Crc32C.Append(Crc32C.Initial, (ulong)kind), payload));
}
