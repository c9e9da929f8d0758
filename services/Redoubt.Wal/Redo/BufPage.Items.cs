using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Redoubt.Wal.Redo;

/// <summary>Line pointers and single items.</summary>
internal static partial class BufPage
{
    /// <summary>The line pointer at an offset number that the caller has checked against <see cref="MaxOffset"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ItemId GetItemId(ReadOnlySpan<byte> page, int offset) =>
        new(BinaryPrimitives.ReadUInt32LittleEndian(page[(HeaderSize + ((offset - 1) * ItemIdSize))..]));

    /// <summary>Sets a line pointer that the caller has checked against <see cref="MaxOffset"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetItemId(Span<byte> page, int offset, ItemId id) =>
        BinaryPrimitives.WriteUInt32LittleEndian(page[(HeaderSize + ((offset - 1) * ItemIdSize))..], id.Raw);

    /// <summary>The line pointer at <paramref name="offset"/>, which must exist (1 … max).</summary>
    public static ItemId CheckedItemId(in BlockChange change, ReadOnlySpan<byte> page, int offset)
    {
        int max = MaxOffset(change, page);
        if (offset < 1 || offset > max)
        {
            Fail(change, $"no line pointer {offset}; the page has {max}");
        }

        return GetItemId(page, offset);
    }

    /// <summary>The bytes (<c>lp_len</c> of them) of the item at <paramref name="offset"/>, which must exist and have storage
    /// between pd_upper and pd_special.</summary>
    public static Span<byte> Item(in BlockChange change, Span<byte> page, int offset)
    {
        ItemId id = CheckedItemId(change, page, offset);
        CheckStorage(change, page, id, offset);
        return page.Slice(id.Offset, id.Length);
    }

    /// <summary>Throws unless the line pointer's storage is not empty and lies between pd_upper and pd_special.</summary>
    public static void CheckStorage(in BlockChange change, ReadOnlySpan<byte> page, ItemId id, int offset)
    {
        if (!id.HasStorage || id.Offset < GetUpper(page) || id.Offset + id.Length > Math.Min(GetSpecial(page), Size))
        {
            Fail(change, $"line pointer {offset} is corrupt: offset {id.Offset}, length {id.Length}");
        }
    }

    /// <summary><c>PageAddItem</c> for redo: like <see cref="TryAddItem"/>, but an item that cannot be placed is an error.</summary>
    /// <returns>The offset number used.</returns>
    public static int AddItem(in BlockChange change, Span<byte> page, ReadOnlySpan<byte> item, int offset, bool overwrite = false, bool isHeap = false)
    {
        int placed = TryAddItem(change, page, item, offset, overwrite, isHeap);
        if (placed == 0)
        {
            Fail(change, $"cannot add an item of {item.Length} bytes at offset number {offset}: lower {GetLower(page)}, upper {GetUpper(page)}");
        }

        return placed;
    }

    /// <summary><c>PageAddItemExtended</c>: <paramref name="offset"/> 0 takes the first free line pointer; else the item is put at the given
    /// one, over an unused one (<c>PAI_OVERWRITE</c>) or moving the later ones along. <c>PAI_IS_HEAP</c> limits their number.</summary>
    /// <returns>The offset number used, or 0 when the item does not fit or the place is taken.</returns>
    public static int TryAddItem(in BlockChange change, Span<byte> page, ReadOnlySpan<byte> item, int offset, bool overwrite = false, bool isHeap = false)
    {
        int lower = GetLower(page), upper = GetUpper(page), special = GetSpecial(page);
        if (lower < HeaderSize || lower > upper || upper > special || special > Size)
        {
            Fail(change, $"page header is corrupt: lower {lower}, upper {upper}, special {special}");
        }

        int limit = ((lower - HeaderSize) / ItemIdSize) + 1;
        bool shuffle = false;
        if (offset != 0)
        {
            if (overwrite)
            {
                if (offset < limit)
                {
                    ItemId there = GetItemId(page, offset);
                    if (!there.IsUnused || there.HasStorage)
                    {
                        return 0;
                    }
                }
            }
            else
            {
                shuffle = offset < limit;
            }
        }
        else if ((GetFlags(page) & HasFreeLines) != 0)
        {
            for (offset = 1; offset < limit; offset++)
            {
                ItemId there = GetItemId(page, offset);
                if (there.IsUnused && !there.HasStorage)
                {
                    break;
                }
            }

            if (offset >= limit)
            {
                ClearFlags(page, HasFreeLines);
            }
        }
        else
        {
            offset = limit;
        }

        if (offset > limit || (isHeap && offset > MaxHeapTuples))
        {
            return 0;
        }

        int newLower = offset == limit || shuffle ? lower + ItemIdSize : lower;
        int newUpper = upper - MaxAlign(item.Length);
        if (newLower > newUpper)
        {
            return 0;
        }

        if (shuffle)
        {
            int at = HeaderSize + ((offset - 1) * ItemIdSize);
            int bytes = (limit - offset) * ItemIdSize;
            page.Slice(at, bytes).CopyTo(page[(at + ItemIdSize)..]);
        }

        SetItemId(page, offset, ItemId.Make(newUpper, ItemId.Normal, item.Length));
        item.CopyTo(page[newUpper..]);
        SetLower(page, newLower);
        SetUpper(page, newUpper);
        return offset;
    }

    /// <summary><c>PageIndexTupleDelete</c>: removes the item and its line pointer.</summary>
    public static void IndexTupleDelete(in BlockChange change, Span<byte> page, int offset)
    {
        ItemId id = CheckedIndexItem(change, page, offset, out int lines);
        int lower = GetLower(page);
        int at = HeaderSize + ((offset - 1) * ItemIdSize);
        int after = lower - (at + ItemIdSize);
        if (after > 0)
        {
            page.Slice(at + ItemIdSize, after).CopyTo(page[at..]);
        }

        SetLower(page, lower - ItemIdSize);
        CloseGap(page, id, lines - 1, onlyWithStorage: false);
    }

    /// <summary><c>PageIndexTupleDeleteNoCompact</c>: removes the item but keeps the other line pointers where they are.</summary>
    public static void IndexTupleDeleteNoCompact(in BlockChange change, Span<byte> page, int offset)
    {
        ItemId id = CheckedIndexItem(change, page, offset, out int lines);
        if (offset < lines)
        {
            SetItemId(page, offset, default);
        }
        else
        {
            SetLower(page, GetLower(page) - ItemIdSize);
            lines--;
        }

        CloseGap(page, id, lines, onlyWithStorage: true);
    }

    /// <summary><c>PageIndexTupleOverwrite</c>: replaces an item by one of perhaps another size, keeping its offset number.</summary>
    /// <returns>False when the page has no room.</returns>
    public static bool IndexTupleOverwrite(in BlockChange change, Span<byte> page, int offset, ReadOnlySpan<byte> item)
    {
        ItemId id = CheckedIndexItem(change, page, offset, out int lines);
        int oldSize = MaxAlign(id.Length);
        int newSize = MaxAlign(item.Length);
        int upper = GetUpper(page);
        if (newSize > oldSize + (upper - GetLower(page)))
        {
            return false;
        }

        int difference = oldSize - newSize;
        if (difference != 0)
        {
            page[upper..id.Offset].CopyTo(page[(upper + difference)..]);
            SetUpper(page, upper + difference);
            ShiftOffsets(page, lines, id.Offset, difference, onlyWithStorage: true);
        }

        int at = id.Offset + difference;
        SetItemId(page, offset, ItemId.Make(at, id.Flags, item.Length));
        item.CopyTo(page[at..]);
        return true;
    }

    private static ItemId CheckedIndexItem(in BlockChange change, ReadOnlySpan<byte> page, int offset, out int lines)
    {
        CheckHeader(change, page);
        lines = (GetLower(page) - HeaderSize) / ItemIdSize;
        if (offset < 1 || offset > lines)
        {
            Fail(change, $"no line pointer {offset}; the page has {lines}");
        }

        ItemId id = GetItemId(page, offset);
        CheckIndexStorage(change, page, id, offset);
        return id;
    }

    private static void CheckIndexStorage(in BlockChange change, ReadOnlySpan<byte> page, ItemId id, int offset)
    {
        if (id.Offset < GetUpper(page) || id.Offset + id.Length > GetSpecial(page) || (id.Offset & 7) != 0)
        {
            Fail(change, $"line pointer {offset} is corrupt: offset {id.Offset}, length {id.Length}");
        }
    }

    /// <summary>Moves the tuples below a removed one up over it.</summary>
    private static void CloseGap(Span<byte> page, ItemId removed, int lines, bool onlyWithStorage)
    {
        int upper = GetUpper(page);
        int size = MaxAlign(removed.Length);
        if (removed.Offset > upper)
        {
            page[upper..removed.Offset].CopyTo(page[(upper + size)..]);
        }

        SetUpper(page, upper + size);
        ShiftOffsets(page, lines, removed.Offset, size, onlyWithStorage);
    }

    private static void ShiftOffsets(Span<byte> page, int lines, int upTo, int by, bool onlyWithStorage)
    {
        for (int i = 1; i <= lines; i++)
        {
            ItemId id = GetItemId(page, i);
            if (id.Offset <= upTo && (!onlyWithStorage || id.HasStorage))
            {
                SetItemId(page, i, id.WithOffset(id.Offset + by));
            }
        }
    }
}
