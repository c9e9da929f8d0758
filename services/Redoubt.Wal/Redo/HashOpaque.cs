using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>A hash page's special space (<c>HashPageOpaqueData</c>, access/hash.h): previous, next, bucket, flags, page id.</summary>
internal static class HashOpaque
{
    public const int UnusedPage = 0;
    public const int OverflowPage = 1 << 0;
    public const int BitmapPage = 1 << 2;
    public const int MetaPage = 1 << 3;
    public const int NeedsSplitCleanup = 1 << 6;
    public const int HasDeadTuples = 1 << 7;

    public const uint InvalidBlock = 0xFFFFFFFF;
    public const uint InvalidBucket = 0xFFFFFFFF;

    /// <summary>Bytes between header and special space.</summary>
    public const int MaxContents = BufPage.Size - BufPage.HeaderSize - Size;

    private const int Size = 16;
    private const ushort PageId = 0xFF80;

    /// <summary><c>_hash_initbuf</c>: an empty page. On a primary bucket page "previous" holds the highest bucket number.</summary>
    public static void Init(in BlockChange change, Span<byte> page, uint previous, uint bucket, int flags)
    {
        BufPage.Init(page, Size);
        Span<byte> opaque = Of(change, page);
        SetPrevious(opaque, previous);
        SetNext(opaque, InvalidBlock);
        BinaryPrimitives.WriteUInt32LittleEndian(opaque[8..], bucket);
        SetFlags(opaque, flags);
        BinaryPrimitives.WriteUInt16LittleEndian(opaque[14..], PageId);
    }

    public static Span<byte> Of(in BlockChange change, Span<byte> page) => BufPage.Special(change, page, Size);

    public static void SetPrevious(Span<byte> opaque, uint block) => BinaryPrimitives.WriteUInt32LittleEndian(opaque, block);

    public static void SetNext(Span<byte> opaque, uint block) => BinaryPrimitives.WriteUInt32LittleEndian(opaque[4..], block);

    public static void SetFlags(Span<byte> opaque, int flags) => BinaryPrimitives.WriteUInt16LittleEndian(opaque[12..], (ushort)flags);

    public static void ClearFlags(Span<byte> opaque, int bits) =>
        SetFlags(opaque, BinaryPrimitives.ReadUInt16LittleEndian(opaque[12..]) & ~bits);
}
