using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Redoubt.Wal.Redo;

/// <summary>Removal of many items at once, and what it leaves.</summary>
internal static partial class BufPage
{
    /// <summary>One item that stays (<c>itemIdCompactData</c>).</summary>
    private struct Kept
    {
        public ushort Line;
        public ushort Offset;
        public ushort Length;
    }

    /// <summary><c>PageIndexMultiDelete</c>: removes items whose offset numbers (little-endian uint16 each) ascend.</summary>
    [SkipLocalsInit]
    public static void IndexMultiDelete(in BlockChange change, Span<byte> page, ReadOnlySpan<byte> offsets)
    {
        int count = offsets.Length / 2;
        if (count <= 2)
        {
            while (--count >= 0)
            {
                IndexTupleDelete(change, page, BinaryPrimitives.ReadUInt16LittleEndian(offsets[(count * 2)..]));
            }

            return;
        }

        CheckHeader(change, page);
        int lower = GetLower(page), special = GetSpecial(page);
        int lines = (lower - HeaderSize) / ItemIdSize;
        if (lines > MaxIndexTuples)
        {
            Fail(change, $"{lines} line pointers on an index page");
        }

        Span<Kept> kept = stackalloc Kept[MaxIndexTuples];
        int used = 0, next = 0, total = 0, last = special;
        bool presorted = true;
        int nextOffset = BinaryPrimitives.ReadUInt16LittleEndian(offsets);
        for (int offset = 1; offset <= lines; offset++)
        {
            ItemId id = GetItemId(page, offset);
            CheckIndexStorage(change, page, id, offset);
            if (offset == nextOffset)
            {
                next++;
                nextOffset = next < count ? BinaryPrimitives.ReadUInt16LittleEndian(offsets[(next * 2)..]) : 0;
                continue;
            }

            int length = MaxAlign(id.Length);
            presorted &= last > id.Offset;
            last = Math.Min(last, id.Offset);
            total += length;

            // The line pointers are moved down while they are read: the one written is never after the one read.
            kept[used] = new Kept { Line = (ushort)(used + 1), Offset = (ushort)id.Offset, Length = (ushort)length };
            SetItemId(page, ++used, id);
        }

        if (next != count)
        {
            Fail(change, "offset numbers to delete are not ascending or not on the page");
        }

        if (total > special - lower)
        {
            Fail(change, $"items of {total} bytes in {special - lower} bytes of space");
        }

        SetLower(page, HeaderSize + (used * ItemIdSize));
        Compactify(page, kept[..used], presorted);
    }

    /// <summary><c>PageRepairFragmentation</c>: after pruning a heap page, closes the gaps between tuples and cuts unused line pointers
    /// off the end.</summary>
    [SkipLocalsInit]
    public static void RepairFragmentation(in BlockChange change, Span<byte> page)
    {
        CheckHeader(change, page);
        int lower = GetLower(page), upper = GetUpper(page), special = GetSpecial(page);
        int lines = (lower - HeaderSize) / ItemIdSize;
        Span<Kept> kept = stackalloc Kept[MaxHeapTuples];
        int storage = 0, unused = 0, total = 0, last = special, lastUsedLine = 0;
        bool presorted = true;
        for (int offset = 1; offset <= lines; offset++)
        {
            ItemId id = GetItemId(page, offset);
            if (id.IsUnused)
            {
                SetItemId(page, offset, default);
                unused++;
                continue;
            }

            lastUsedLine = offset;
            if (!id.HasStorage)
            {
                continue;
            }

            int length = MaxAlign(id.Length);
            if (id.Offset < upper || id.Offset + length > special)
            {
                Fail(change, $"line pointer {offset} is corrupt: offset {id.Offset}, length {id.Length}");
            }

            if (storage == kept.Length)
            {
                Fail(change, $"more than {MaxHeapTuples} tuples on a heap page");
            }

            presorted &= last > id.Offset;
            last = Math.Min(last, id.Offset);
            total += length;
            kept[storage++] = new Kept { Line = (ushort)offset, Offset = (ushort)id.Offset, Length = (ushort)length };
        }

        if (total > special - lower)
        {
            Fail(change, $"items of {total} bytes in {special - lower} bytes of space");
        }

        Compactify(page, kept[..storage], presorted);
        if (lastUsedLine != lines)
        {
            unused -= lines - lastUsedLine;
            SetLower(page, lower - ((lines - lastUsedLine) * ItemIdSize));
        }

        SetHasFreeLines(page, unused > 0);
    }

    /// <summary><c>PageTruncateLinePointerArray</c>: cuts unused line pointers off the end of a heap page, but leaves one.</summary>
    public static void TruncateLinePointerArray(in BlockChange change, Span<byte> page)
    {
        int lines = MaxOffset(change, page);
        int keep = lines;
        while (keep > 1 && GetItemId(page, keep).IsUnused)
        {
            keep--;
        }

        bool free = false;
        for (int offset = keep; offset >= 1 && !free; offset--)
        {
            free = GetItemId(page, offset).IsUnused;
        }

        if (keep < lines)
        {
            SetLower(page, GetLower(page) - ((lines - keep) * ItemIdSize));
        }

        SetHasFreeLines(page, free);
    }

    private static void SetHasFreeLines(Span<byte> page, bool value)
    {
        if (value)
        {
            SetFlags(page, HasFreeLines);
        }
        else
        {
            ClearFlags(page, HasFreeLines);
        }
    }

    /// <summary><c>compactify_tuples</c>: packs the items against the special space in the order of <paramref name="kept"/>, so that line
    /// pointer order is descending tuple order. The caller has checked that they lie in the page and fit.</summary>
    [SkipLocalsInit]
    private static void Compactify(Span<byte> page, ReadOnlySpan<Kept> kept, bool presorted)
    {
        int upper = GetSpecial(page);
        int i = 0;
        while (i < kept.Length && kept[i].Offset + kept[i].Length == upper)
        {
            upper -= kept[i].Length;
            i++;
        }

        if (i == kept.Length)
        {
            SetUpper(page, upper);
            return;
        }

        // Sorted tuples only ever move up, so each may be moved in place once those above it have been; others go over a copy.
        scoped ReadOnlySpan<byte> source = page;
        if (!presorted)
        {
            Span<byte> scratch = stackalloc byte[Size];
            page.CopyTo(scratch);
            source = scratch;
        }

        int tail = kept[i].Offset + kept[i].Length;
        int head = tail;
        for (; i < kept.Length; i++)
        {
            ref readonly Kept item = ref kept[i];
            if (head != item.Offset + item.Length)
            {
                source[head..tail].CopyTo(page[upper..]);
                tail = item.Offset + item.Length;
            }

            upper -= item.Length;
            head = item.Offset;
            SetItemId(page, item.Line, GetItemId(page, item.Line).WithOffset(upper));
        }

        source[head..tail].CopyTo(page[upper..]);
        SetUpper(page, upper);
    }
}
