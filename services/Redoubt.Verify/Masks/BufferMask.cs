using System.Buffers.Binary;

namespace Redoubt.Verify.Masks;

/// <summary>
/// The pieces that every resource manager's mask is made of (access/common/bufmask.c). Each works in place on one 8,192-byte page and
/// writes zeros (<c>MASK_MARKER</c>) over what PostgreSQL may change without writing log.
/// </summary>
internal static class BufferMask
{
    /// <summary><c>SizeOfPageHeaderData</c>, bytes.</summary>
    public const int HeaderSize = 24;

    private const int PageSize = 8192;
    private const int FlagsAt = 10;
    private const int LowerAt = 12;
    private const int UpperAt = 14;
    private const int SpecialAt = 16;
    private const int PruneXidAt = 20;

    /// <summary><c>PD_HAS_FREE_LINES | PD_PAGE_FULL | PD_ALL_VISIBLE</c> (storage/bufpage.h).</summary>
    private const ushort HintFlags = 7;

    public static ushort U16(ReadOnlySpan<byte> page, int at) => BinaryPrimitives.ReadUInt16LittleEndian(page[at..]);

    public static void PutU16(Span<byte> page, int at, int value) => BinaryPrimitives.WriteUInt16LittleEndian(page[at..], (ushort)value);

    /// <summary><c>pd_lower</c>.</summary>
    public static int Lower(ReadOnlySpan<byte> page) => U16(page, LowerAt);

    /// <summary>Start of the special space, or -1 when fewer than <paramref name="size"/> bytes fit there.</summary>
    public static int Special(ReadOnlySpan<byte> page, int size)
    {
        int special = U16(page, SpecialAt);
        return special >= HeaderSize && special + size <= PageSize ? special : -1;
    }

    /// <summary><c>PageGetMaxOffsetNumber</c>, kept inside the page.</summary>
    public static int MaxOffset(ReadOnlySpan<byte> page)
    {
        int lower = Lower(page);
        return lower is <= HeaderSize or > PageSize ? 0 : (lower - HeaderSize) / 4;
    }

    /// <summary>The line pointer of an item (<c>ItemIdData</c>, storage/itemid.h).</summary>
    public static uint LinePointer(ReadOnlySpan<byte> page, int offset) =>
        BinaryPrimitives.ReadUInt32LittleEndian(page[(HeaderSize + (4 * (offset - 1)))..]);

    /// <summary><c>mask_page_lsn_and_checksum</c>.</summary>
    public static void LsnAndChecksum(Span<byte> page) => page[..10].Clear();

    /// <summary><c>mask_page_hint_bits</c>.</summary>
    public static void HintBits(Span<byte> page)
    {
        page.Slice(PruneXidAt, 4).Clear();
        PutU16(page, FlagsAt, U16(page, FlagsAt) & ~HintFlags);
    }

    /// <summary><c>mask_unused_space</c>.</summary>
    /// <exception cref="InvalidPageException">The header's bounds contradict each other, where PostgreSQL stops with an error.</exception>
    public static void UnusedSpace(Span<byte> page)
    {
        int lower = Lower(page);
        int upper = U16(page, UpperAt);
        int special = U16(page, SpecialAt);
        if (lower > upper || special < upper || lower < HeaderSize || special > PageSize)
        {
            throw new InvalidPageException($"pd_lower {lower}, pd_upper {upper}, pd_special {special} are not those of a page.");
        }

        page[lower..upper].Clear();
    }

    /// <summary><c>mask_lp_flags</c>.</summary>
    public static void LinePointerFlags(Span<byte> page)
    {
        for (int offset = 1, max = MaxOffset(page); offset <= max; offset++)
        {
            uint pointer = LinePointer(page, offset);
            BinaryPrimitives.WriteUInt32LittleEndian(page[(HeaderSize + (4 * (offset - 1)))..], pointer & ~(3u << 15));
        }
    }

    /// <summary><c>mask_page_content</c>.</summary>
    public static void Content(Span<byte> page)
    {
        page[HeaderSize..PageSize].Clear();
        page.Slice(LowerAt, 4).Clear();
    }
}
