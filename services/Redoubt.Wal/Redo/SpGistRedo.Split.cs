using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Redoubt.Wal.Redo;

/// <summary>Splits of leaf lists, and vacuum.</summary>
internal static partial class SpGistRedo
{
    /// <summary><c>spgxlogPickSplit</c>: isRootSplit, padding, nDelete, nInsert, initSrc, initDest, offnumInner, initInner, storesNulls,
    /// innerIsParent, padding, offnumParent, nodeI, padding, state; then offsets deleted, offsets inserted, for each of the latter whether it
    /// goes to block 0 or 1, the inner tuple, the leaf tuples. Block 0 is the source, 1 the other leaf page, 2 has the inner tuple,
    /// 3 its parent.</summary>
    private static void ApplyPickSplit(in BlockChange change, Span<byte> page, RedoCursor main)
    {
        main.Take(change, 2);
        int deletes = main.UInt16(change);
        int inserts = main.UInt16(change);
        bool initSource = Bool(change, ref main);
        bool initDestination = Bool(change, ref main);
        int innerOffset = main.UInt16(change);
        bool initInner = Bool(change, ref main);
        bool nulls = Bool(change, ref main);
        bool innerIsParent = main.Take(change, 2)[0] != 0;
        int parent = main.UInt16(change);
        int node = main.UInt16(change);
        main.Take(change, 2);
        var state = new State(change, ref main);
        ReadOnlySpan<byte> deleted = main.Take(change, deletes * 2);
        var inserted = new RedoCursor(main.Take(change, inserts * 2));
        ReadOnlySpan<byte> pages = main.Take(change, inserts);
        ReadOnlySpan<byte> inner = SpGistTuple.TakeInner(change, ref main);
        uint innerBlock = References.Get(change, 2);
        switch (change.BlockId)
        {
            case 0 or 1:
                bool isDestination = change.BlockId == 1;
                if (isDestination ? initDestination : initSource)
                {
                    SpGistPage.Init(page, LeafFlags(nulls));
                }
                else if (!isDestination)
                {
                    SpGistPage.MultiDelete(
                        change, page, deleted, state.FirstState, SpGistTuple.Placeholder, innerBlock, innerOffset, state.RedirectXid);
                }

                foreach (byte select in pages)
                {
                    ReadOnlySpan<byte> leaf = SpGistTuple.TakeLeaf(change, ref main);
                    int offset = inserted.UInt16(change);
                    if (select != 0 == isDestination)
                    {
                        SpGistPage.AddOrReplace(change, page, leaf, offset);
                    }
                }

                break;
            case 2:
                if (initInner)
                {
                    SpGistPage.Init(page, nulls ? SpGistPage.Nulls : 0);
                }

                SpGistPage.AddOrReplace(change, page, inner, innerOffset);
                if (innerIsParent)
                {
                    SpGistPage.UpdateNodeLink(change, page, parent, node, innerBlock, innerOffset);
                }

                break;
            default:
                SpGistPage.UpdateNodeLink(change, page, parent, node, innerBlock, innerOffset);
                break;
        }
    }

    /// <summary><c>spgxlogVacuumLeaf</c>: nDead, nPlaceholder, nMove, nChain, state, and the offset numbers of each in turn
    /// (moves and chains: all sources, then all destinations).</summary>
    private static void ApplyVacuumLeaf(in BlockChange change, Span<byte> page, RedoCursor main)
    {
        int deads = main.UInt16(change);
        int placeholders = main.UInt16(change);
        int moves = main.UInt16(change);
        int chains = main.UInt16(change);
        main.Take(change, 8);
        ReadOnlySpan<byte> toDead = main.Take(change, deads * 2);
        ReadOnlySpan<byte> toPlaceholder = main.Take(change, placeholders * 2);
        ReadOnlySpan<byte> moveFrom = main.Take(change, moves * 2);
        var moveTo = new RedoCursor(main.Take(change, moves * 2));
        var chainFrom = new RedoCursor(main.Take(change, chains * 2));
        var chainTo = new RedoCursor(main.Take(change, chains * 2));

        SpGistPage.MultiDelete(change, page, toDead, SpGistTuple.Dead, SpGistTuple.Dead, InvalidBlock, 0, 0);
        SpGistPage.MultiDelete(change, page, toPlaceholder, SpGistTuple.Placeholder, SpGistTuple.Placeholder, InvalidBlock, 0, 0);
        var from = new RedoCursor(moveFrom);
        while (!from.IsEmpty)
        {
            int source = from.UInt16(change);
            int target = moveTo.UInt16(change);
            ItemId sourceId = BufPage.CheckedItemId(change, page, source);
            BufPage.SetItemId(page, source, BufPage.CheckedItemId(change, page, target));
            BufPage.SetItemId(page, target, sourceId);
        }

        SpGistPage.MultiDelete(change, page, moveFrom, SpGistTuple.Placeholder, SpGistTuple.Placeholder, InvalidBlock, 0, 0);
        while (!chainFrom.IsEmpty)
        {
            SetNextOffset(change, page, chainFrom.UInt16(change), chainTo.UInt16(change));
        }
    }

    /// <summary><c>spgxlogVacuumRedirect</c>: nToPlaceholder, firstPlaceholder, conflict horizon, isCatalogRel, padding, offset numbers.
    /// Placeholders from firstPlaceholder to the end of the page go.</summary>
    [SkipLocalsInit]
    private static void ApplyVacuumRedirect(in BlockChange change, Span<byte> page, RedoCursor main)
    {
        int count = main.UInt16(change);
        int firstPlaceholder = main.UInt16(change);
        main.Take(change, 6);
        var offsets = new RedoCursor(main.Take(change, count * 2));
        while (!offsets.IsEmpty)
        {
            int offset = offsets.UInt16(change);
            Span<byte> tuple = BufPage.Item(change, page, offset);
            if (tuple.Length < SpGistTuple.DeadSize || SpGistTuple.State(tuple) != SpGistTuple.Redirect)
            {
                BufPage.Fail(change, $"tuple {offset} is not a redirect");
            }

            SpGistTuple.MakePlaceholder(tuple);
        }

        SpGistPage.Count(change, page, -count, count);
        if (firstPlaceholder == 0)
        {
            return;
        }

        int last = BufPage.MaxOffset(change, page);
        int removed = last - firstPlaceholder + 1;
        if (removed < 1 || removed > BufPage.MaxIndexTuples)
        {
            BufPage.Fail(change, $"placeholders from {firstPlaceholder} on a page of {last} tuples");
        }

        Span<ushort> list = stackalloc ushort[BufPage.MaxIndexTuples];
        for (int i = 0; i < removed; i++)
        {
            list[i] = (ushort)(firstPlaceholder + i);
        }

        SpGistPage.Count(change, page, 0, -removed);
        BufPage.IndexMultiDelete(change, page, MemoryMarshal.AsBytes(list[..removed]));
    }
}
