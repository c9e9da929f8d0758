using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Redoubt.Wal.Redo;

/// <summary>Page splits (<c>xl_btree_split</c>: level, firstrightoff, newitemoff, postingoff).</summary>
internal static partial class BtreeRedo
{
    private const int SplitSize = 10;

    /// <summary>The right page is new and holds what the record says.</summary>
    private static void SplitRight(in BlockChange change, Span<byte> page)
    {
        uint level = BinaryPrimitives.ReadUInt32LittleEndian(new RedoCursor(change.MainData).Take(change, SplitSize));
        BtreeOpaque.Init(page);
        Span<byte> opaque = BtreeOpaque.Of(change, page);
        BtreeOpaque.SetPrevious(opaque, References.Get(change, 0));
        BtreeOpaque.SetNext(opaque, References.TryGet(change, 2, out uint next) ? next : None);
        BtreeOpaque.SetLevel(opaque, level);
        BtreeOpaque.SetFlags(opaque, level == 0 ? BtreeOpaque.Leaf : 0);
        RestoreItems(change, page, change.BlockData);
    }

    /// <summary>The left page keeps its items before firstrightoff in their order, under a new high key, perhaps with the new item.</summary>
    [SkipLocalsInit]
    private static void SplitLeft(in BlockChange change, Span<byte> page)
    {
        var main = new RedoCursor(change.MainData);
        uint level = main.UInt32(change);
        int firstRight = main.UInt16(change);
        int newItemOffset = main.UInt16(change);
        int postingIndex = main.UInt16(change);
        bool newOnLeft = change.Info == SplitL;

        var data = new RedoCursor(change.BlockData);
        scoped ReadOnlySpan<byte> newItem = default;
        scoped Span<byte> newTid = stackalloc byte[IndexTuple.TidSize];
        int postingOffset = 0;
        if (newOnLeft || postingIndex != 0)
        {
            newItem = data.TakeIndexTuple(change, aligned: true);
            newItem[..IndexTuple.TidSize].CopyTo(newTid);
            if (postingIndex != 0)
            {
                // The page's posting list may be changed where it is: the page is about to be replaced.
                postingOffset = newItemOffset - 1;
                BtreePosting.Swap(change, BufPage.Item(change, page, postingOffset), postingIndex, newTid);
            }
        }

        ReadOnlySpan<byte> highKey = data.TakeIndexTuple(change, aligned: true);
        if (!data.IsEmpty)
        {
            BufPage.Fail(change, $"{data.Rest.Length} bytes after the high key");
        }

        Span<byte> opaque = BtreeOpaque.Of(change, page);
        scoped Span<byte> left = stackalloc byte[BufPage.Size];
        BtreeOpaque.Init(left);
        opaque.CopyTo(BtreeOpaque.Of(change, left));
        BufPage.AddItem(change, left, highKey, HighKey);
        int next = HighKey + 1;
        int offset = BtreeOpaque.FirstDataKey(opaque);
        for (; offset < firstRight; offset++)
        {
            if (newOnLeft && offset == newItemOffset)
            {
                AddNewItem(change, left, newItem, newTid, next++);
            }

            ReadOnlySpan<byte> item = BufPage.Item(change, page, offset);
            BufPage.AddItem(change, left, offset == postingOffset ? IndexTuple.OnPage(change, page, offset) : item, next++);
        }

        if (newOnLeft && offset == newItemOffset)
        {
            AddNewItem(change, left, newItem, newTid, next);
        }

        left.CopyTo(page);
        BtreeOpaque.SetFlags(opaque, level == 0 ? BtreeOpaque.IncompleteSplit | BtreeOpaque.Leaf : BtreeOpaque.IncompleteSplit);
        BtreeOpaque.SetNext(opaque, References.Get(change, 1));
        BtreeOpaque.SetCycleId(opaque, 0);
    }

    private static void AddNewItem(in BlockChange change, Span<byte> page, ReadOnlySpan<byte> item, ReadOnlySpan<byte> tid, int offset)
    {
        BufPage.AddItem(change, page, item, offset);
        tid.CopyTo(BufPage.Item(change, page, offset));
    }
}
