using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>A GIN page's special space (<c>GinPageOpaqueData</c>, access/ginblock.h): right link, maxoff, flags; and the layout of
/// pages of posting trees, which have no line pointers: right bound (a TID, padded to 8), then items up to pd_lower.</summary>
internal static class GinOpaque
{
    public const int Data = 1 << 0;
    public const int Leaf = 1 << 1;
    public const int Deleted = 1 << 2;
    public const int Meta = 1 << 3;
    public const int List = 1 << 4;
    public const int ListFullRow = 1 << 5;
    public const int IncompleteSplit = 1 << 6;
    public const int Compressed = 1 << 7;

    public const uint InvalidBlock = 0xFFFFFFFF;

    /// <summary><c>sizeof(GinPageOpaqueData)</c>.</summary>
    public const int Size = 8;

    /// <summary>Where items of a data page begin (<c>GinDataPageGetData</c>).</summary>
    public const int DataAt = BufPage.HeaderSize + 8;

    /// <summary><c>GinDataPageMaxDataSize</c>.</summary>
    public const int MaxDataSize = BufPage.Size - DataAt - Size;

    /// <summary><c>GinInitPage</c>.</summary>
    public static Span<byte> Init(in BlockChange change, Span<byte> page, int flags)
    {
        BufPage.Init(page, Size);
        Span<byte> opaque = Of(change, page);
        SetRightLink(opaque, InvalidBlock);
        SetFlags(opaque, flags);
        return opaque;
    }

    public static Span<byte> Of(in BlockChange change, Span<byte> page) => BufPage.Special(change, page, Size);

    public static void SetRightLink(Span<byte> opaque, uint block) => BinaryPrimitives.WriteUInt32LittleEndian(opaque, block);

    public static int MaxOffset(ReadOnlySpan<byte> opaque) => BinaryPrimitives.ReadUInt16LittleEndian(opaque[4..]);

    public static void SetMaxOffset(Span<byte> opaque, int value) => BinaryPrimitives.WriteUInt16LittleEndian(opaque[4..], (ushort)value);

    public static int Flags(ReadOnlySpan<byte> opaque) => BinaryPrimitives.ReadUInt16LittleEndian(opaque[6..]);

    public static void SetFlags(Span<byte> opaque, int flags) => BinaryPrimitives.WriteUInt16LittleEndian(opaque[6..], (ushort)flags);

    /// <summary><c>GinDataPageSetDataSize</c>.</summary>
    public static void SetDataSize(in BlockChange change, Span<byte> page, int size)
    {
        if ((uint)size > MaxDataSize)
        {
            BufPage.Fail(change, $"{size} bytes on a data page");
        }

        BufPage.SetLower(page, DataAt + size);
    }
}
