using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>
/// Posting list tuples (access/nbtree.h, nbtree/nbtdedup.c): a key followed by a sorted array of heap TIDs. <c>INDEX_ALT_TID_MASK</c> is set,
/// <c>t_tid</c> holds where the array begins (block number) and its length (position, with <c>BT_IS_POSTING</c>).
/// </summary>
internal static class BtreePosting
{
    private const int IsPostingBit = 0x2000;
    private const int CountMask = 0x0FFF;

    /// <summary>True when the tuple has a posting list; then where it begins and how many TIDs it has, checked against the tuple.</summary>
    public static bool TryRead(in BlockChange change, ReadOnlySpan<byte> tuple, out int start, out int count)
    {
        start = count = 0;
        if ((IndexTuple.Info(tuple) & IndexTuple.AmReservedBit) == 0 || (IndexTuple.Position(tuple) & IsPostingBit) == 0)
        {
            return false;
        }

        uint at = IndexTuple.Block(tuple);
        count = IndexTuple.Position(tuple) & CountMask;
        if (at < IndexTuple.HeaderSize || at + (count * IndexTuple.TidSize) > tuple.Length || count == 0)
        {
            BufPage.Fail(change, $"posting list of {count} at {at} in a tuple of {tuple.Length} bytes");
        }

        start = (int)at;
        return true;
    }

    /// <summary><c>_bt_swap_posting</c> in place: puts <paramref name="tid"/> into the list at <paramref name="index"/>; the list's
    /// last TID falls out and is left in <paramref name="tid"/>.</summary>
    public static void Swap(in BlockChange change, Span<byte> item, int index, Span<byte> tid)
    {
        if (item.Length < IndexTuple.HeaderSize || !TryRead(change, item, out int start, out int count) || index < 1 || index >= count)
        {
            BufPage.Fail(change, $"no posting list that can be split at {index}");
            return;
        }

        Span<byte> tids = item.Slice(start, count * IndexTuple.TidSize);
        Span<byte> last = stackalloc byte[IndexTuple.TidSize];
        tids[^IndexTuple.TidSize..].CopyTo(last);
        int at = index * IndexTuple.TidSize;
        tids[at..^IndexTuple.TidSize].CopyTo(tids[(at + IndexTuple.TidSize)..]);
        tid.CopyTo(tids[at..]);
        last.CopyTo(tid);
    }

    /// <summary>Makes the <paramref name="count"/> TIDs behind a key of <paramref name="keySize"/> bytes in <paramref name="tuple"/>
    /// a posting list tuple (<c>BTreeTupleSetPosting</c>), zeroing the padding.</summary>
    /// <returns>The tuple's length, a multiple of 8.</returns>
    public static int Seal(in BlockChange change, Span<byte> tuple, int keySize, int count)
    {
        int end = keySize + (count * IndexTuple.TidSize);
        int size = BufPage.MaxAlign(end);
        if (count > CountMask || size > IndexTuple.SizeMask)
        {
            BufPage.Fail(change, $"posting list of {count} TIDs behind a key of {keySize} bytes");
        }

        tuple[end..size].Clear();
        IndexTuple.SetInfo(tuple, (IndexTuple.Info(tuple) & ~IndexTuple.SizeMask) | size | IndexTuple.AmReservedBit);
        IndexTuple.SetPosition(tuple, count | IsPostingBit);
        IndexTuple.SetBlock(tuple, (uint)keySize);
        return size;
    }

    /// <summary><c>_bt_update_posting</c>: the posting list tuple without the TIDs at the given indexes (ascending uint16s),
    /// written to <paramref name="result"/>.</summary>
    /// <returns>The new tuple's length, bytes. One TID left makes it a plain tuple.</returns>
    public static int Remove(in BlockChange change, ReadOnlySpan<byte> tuple, ReadOnlySpan<byte> indexes, Span<byte> result)
    {
        int removed = indexes.Length / 2;
        if (!TryRead(change, tuple, out int start, out int count) || removed >= count)
        {
            BufPage.Fail(change, $"cannot delete {removed} TIDs of a list of {count}");
        }

        tuple[..start].CopyTo(result);
        int left = count - removed;
        Span<byte> target = left > 1 ? result[start..] : result;
        int next = 0, kept = 0;
        for (int i = 0; i < count; i++)
        {
            if (next < removed && BinaryPrimitives.ReadUInt16LittleEndian(indexes[(next * 2)..]) == i)
            {
                next++;
                continue;
            }

            if (kept == left)
            {
                break;
            }

            tuple.Slice(start + (i * IndexTuple.TidSize), IndexTuple.TidSize).CopyTo(target[(kept++ * IndexTuple.TidSize)..]);
        }

        if (next != removed)
        {
            BufPage.Fail(change, "TID indexes to delete are not ascending or not in the list");
        }

        if (left > 1)
        {
            return Seal(change, result, start, left);
        }

        IndexTuple.SetInfo(result, (IndexTuple.Info(result) & ~(IndexTuple.SizeMask | IndexTuple.AmReservedBit)) | start);
        return start;
    }
}
