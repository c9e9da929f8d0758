using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Redoubt.Wal.Redo;

/// <summary>Deduplication, deletion of tuples, deletion of pages.</summary>
internal static partial class BtreeRedo
{
    /// <summary><c>BTMaxItemSize</c>: how long a merged posting list tuple may become.</summary>
    private const int MaxItemSize = ((((BufPage.Size - 40 - BtreeOpaque.Size) / 3) & ~7) - 8);

    /// <summary><c>XLOG_BTREE_DEDUP</c>: runs of equal tuples become posting list tuples. The record names each run by its first offset
    /// number and its length; all else stays in order.</summary>
    [SkipLocalsInit]
    private static void Deduplicate(in BlockChange change, Span<byte> page)
    {
        int runs = new RedoCursor(change.MainData).UInt16(change);
        var intervals = new RedoCursor(new RedoCursor(change.BlockData).Take(change, runs * 4));
        Span<byte> opaque = BtreeOpaque.Of(change, page);
        Span<byte> fresh = stackalloc byte[BufPage.Size];
        Span<byte> merged = stackalloc byte[BufPage.Size];
        BtreeOpaque.Init(fresh);
        opaque.CopyTo(BtreeOpaque.Of(change, fresh));
        int first = BtreeOpaque.FirstDataKey(opaque);
        if (first > HighKey)
        {
            BufPage.AddItem(change, fresh, BufPage.Item(change, page, HighKey), HighKey);
        }

        int next = first;
        int lines = BufPage.MaxOffset(change, page);
        int runStart = 0, runLength = 0;
        if (runs > 0)
        {
            runStart = intervals.UInt16(change);
            runLength = intervals.UInt16(change);
        }

        for (int offset = first; offset <= lines;)
        {
            Span<byte> tuple = IndexTuple.OnPage(change, page, offset);
            if (offset != runStart || runLength < 2)
            {
                BufPage.AddItem(change, fresh, tuple, next++);
                offset++;
                continue;
            }

            int end = offset + runLength;
            int keySize = BtreePosting.TryRead(change, tuple, out int start, out _) ? start : tuple.Length;
            tuple[..keySize].CopyTo(merged);
            int count = 0;
            for (; offset < end; offset++)
            {
                ReadOnlySpan<byte> part = IndexTuple.OnPage(change, page, offset);
                ReadOnlySpan<byte> tids = BtreePosting.TryRead(change, part, out start, out int n)
                    ? part.Slice(start, n * IndexTuple.TidSize)
                    : part[..IndexTuple.TidSize];
                int at = keySize + (count * IndexTuple.TidSize);
                if (BufPage.MaxAlign(at + tids.Length) > MaxItemSize)
                {
                    BufPage.Fail(change, $"merged posting list tuple at {end - runLength} exceeds {MaxItemSize} bytes");
                }

                tids.CopyTo(merged[at..]);
                count += tids.Length / IndexTuple.TidSize;
            }

            int size = BtreePosting.Seal(change, merged, keySize, count);
            BufPage.AddItem(change, fresh, merged[..size], next++);
            runStart = 0;
            if (!intervals.IsEmpty)
            {
                runStart = intervals.UInt16(change);
                runLength = intervals.UInt16(change);
            }
        }

        if (runStart != 0 || !intervals.IsEmpty)
        {
            BufPage.Fail(change, $"a run of duplicates at {runStart} is not on the page");
        }

        fresh.CopyTo(page);
        BtreeOpaque.SetFlags(opaque, BtreeOpaque.Flags(opaque) & ~BtreeOpaque.HasGarbage);
    }

    /// <summary><c>XLOG_BTREE_VACUUM</c> and <c>XLOG_BTREE_DELETE</c>: first posting lists lose some of their TIDs, then whole tuples go.</summary>
    /// <param name="counts">Main data from <c>ndeleted</c>, <c>nupdated</c> on.</param>
    [SkipLocalsInit]
    private static void DeleteItems(in BlockChange change, Span<byte> page, ReadOnlySpan<byte> counts)
    {
        var main = new RedoCursor(counts);
        int deletedCount = main.UInt16(change);
        int updatedCount = main.UInt16(change);
        var data = new RedoCursor(change.BlockData);
        ReadOnlySpan<byte> deleted = data.Take(change, deletedCount * 2);
        var updated = new RedoCursor(data.Take(change, updatedCount * 2));
        if (updatedCount > 0)
        {
            Span<byte> tuple = stackalloc byte[BufPage.Size];
            while (!updated.IsEmpty)
            {
                int offset = updated.UInt16(change);
                ReadOnlySpan<byte> indexes = data.Take(change, data.UInt16(change) * 2);
                int size = BtreePosting.Remove(change, IndexTuple.OnPage(change, page, offset), indexes, tuple);
                int aligned = BufPage.MaxAlign(size);
                tuple[size..aligned].Clear();
                if (!BufPage.IndexTupleOverwrite(change, page, offset, tuple[..aligned]))
                {
                    BufPage.Fail(change, $"no room for the updated tuple {offset}");
                }
            }
        }

        BufPage.IndexMultiDelete(change, page, deleted);
        Span<byte> opaque = BtreeOpaque.Of(change, page);
        BtreeOpaque.SetFlags(opaque, BtreeOpaque.Flags(opaque) & ~BtreeOpaque.HasGarbage);
    }

    /// <summary><c>xl_btree_mark_page_halfdead</c> on the leaf: an empty page whose high key names the subtree's top.</summary>
    private static void MarkHalfDead(in BlockChange change, Span<byte> page)
    {
        ReadOnlySpan<byte> main = new RedoCursor(change.MainData).Take(change, 20);
        InitHalfDead(
            change,
            page,
            BinaryPrimitives.ReadUInt32LittleEndian(main[8..]),
            BinaryPrimitives.ReadUInt32LittleEndian(main[12..]),
            BinaryPrimitives.ReadUInt32LittleEndian(main[16..]));
    }

    /// <summary><c>xl_btree_mark_page_halfdead</c> on the parent: the downlink takes over the next tuple's target, and that tuple goes.</summary>
    private static void RemoveDownlink(in BlockChange change, Span<byte> page)
    {
        int offset = new RedoCursor(change.MainData).UInt16(change);
        uint right = IndexTuple.Block(IndexTuple.OnPage(change, page, offset + 1));
        IndexTuple.SetBlock(IndexTuple.OnPage(change, page, offset), right);
        BufPage.IndexTupleDelete(change, page, offset + 1);
    }

    private static void InitHalfDead(in BlockChange change, Span<byte> page, uint left, uint right, uint topParent)
    {
        BtreeOpaque.Init(page);
        Span<byte> opaque = BtreeOpaque.Of(change, page);
        BtreeOpaque.SetPrevious(opaque, left);
        BtreeOpaque.SetNext(opaque, right);
        BtreeOpaque.SetFlags(opaque, BtreeOpaque.HalfDead | BtreeOpaque.Leaf);
        Span<byte> highKey = stackalloc byte[IndexTuple.HeaderSize];
        highKey.Clear();
        IndexTuple.SetBlock(highKey, topParent);
        IndexTuple.SetInfo(highKey, IndexTuple.HeaderSize | IndexTuple.AmReservedBit);
        BufPage.AddItem(change, page, highKey, HighKey);
    }

    /// <summary><c>xl_btree_unlink_page</c>: leftsib, rightsib, level, safexid, and for the leaf of an internal target
    /// leafleftsib, leafrightsib, leaftopparent.</summary>
    private static void Unlink(in BlockChange change, Span<byte> page)
    {
        ReadOnlySpan<byte> main = new RedoCursor(change.MainData).Take(change, 36);
        uint left = BinaryPrimitives.ReadUInt32LittleEndian(main);
        uint right = BinaryPrimitives.ReadUInt32LittleEndian(main[4..]);
        switch (change.BlockId)
        {
            case 0:
                uint level = BinaryPrimitives.ReadUInt32LittleEndian(main[8..]);
                BtreeOpaque.Init(page);
                Span<byte> opaque = BtreeOpaque.Of(change, page);
                BtreeOpaque.SetPrevious(opaque, left);
                BtreeOpaque.SetNext(opaque, right);
                BtreeOpaque.SetLevel(opaque, level);
                BtreeOpaque.SetFlags(opaque, BtreeOpaque.Deleted | BtreeOpaque.HasFullXid | (level == 0 ? BtreeOpaque.Leaf : 0));
                main.Slice(16, 8).CopyTo(page[BufPage.HeaderSize..]);
                BufPage.SetLower(page, BufPage.HeaderSize + 8);
                break;
            case 1:
                BtreeOpaque.SetNext(BtreeOpaque.Of(change, page), right);
                break;
            case 2:
                BtreeOpaque.SetPrevious(BtreeOpaque.Of(change, page), left);
                break;
            default:
                InitHalfDead(
                    change,
                    page,
                    BinaryPrimitives.ReadUInt32LittleEndian(main[24..]),
                    BinaryPrimitives.ReadUInt32LittleEndian(main[28..]),
                    BinaryPrimitives.ReadUInt32LittleEndian(main[32..]));
                break;
        }
    }
}
