using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>Fields of an index tuple (<c>IndexTupleData</c>, access/itup.h): 6 bytes <c>t_tid</c> (block high half, low half, position),
/// 2 bytes <c>t_info</c>. Callers pass spans of at least <see cref="HeaderSize"/> bytes.</summary>
internal static class IndexTuple
{
    /// <summary><c>sizeof(IndexTupleData)</c>.</summary>
    public const int HeaderSize = 8;

    /// <summary><c>sizeof(ItemPointerData)</c>.</summary>
    public const int TidSize = 6;

    /// <summary><c>INDEX_SIZE_MASK</c>.</summary>
    public const int SizeMask = 0x1FFF;

    /// <summary><c>INDEX_AM_RESERVED_BIT</c>, which nbtree calls <c>INDEX_ALT_TID_MASK</c>.</summary>
    public const int AmReservedBit = 0x2000;

    public static int Info(ReadOnlySpan<byte> tuple) => BinaryPrimitives.ReadUInt16LittleEndian(tuple[6..]);

    public static void SetInfo(Span<byte> tuple, int info) => BinaryPrimitives.WriteUInt16LittleEndian(tuple[6..], (ushort)info);

    /// <summary><c>IndexTupleSize</c>, bytes.</summary>
    public static int Size(ReadOnlySpan<byte> tuple) => Info(tuple) & SizeMask;

    /// <summary>Block number of a TID (<c>BlockIdData</c>: two little-endian halves, the high one first).</summary>
    public static uint Block(ReadOnlySpan<byte> tid) =>
        ((uint)BinaryPrimitives.ReadUInt16LittleEndian(tid) << 16) | BinaryPrimitives.ReadUInt16LittleEndian(tid[2..]);

    public static void SetBlock(Span<byte> tid, uint block)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(tid, (ushort)(block >> 16));
        BinaryPrimitives.WriteUInt16LittleEndian(tid[2..], (ushort)block);
    }

    /// <summary>Offset number of a TID.</summary>
    public static int Position(ReadOnlySpan<byte> tid) => BinaryPrimitives.ReadUInt16LittleEndian(tid[4..]);

    public static void SetPosition(Span<byte> tid, int position) =>
        BinaryPrimitives.WriteUInt16LittleEndian(tid[4..], (ushort)position);

    /// <summary>An item of a page as an index tuple, cut to the tuple's own length.</summary>
    public static Span<byte> OnPage(in BlockChange change, Span<byte> page, int offset)
    {
        Span<byte> item = BufPage.Item(change, page, offset);
        int size = item.Length < HeaderSize ? 0 : Size(item);
        if (size < HeaderSize || size > item.Length)
        {
            BufPage.Fail(change, $"item {offset} of {item.Length} bytes is not an index tuple");
        }

        return item[..size];
    }
}
