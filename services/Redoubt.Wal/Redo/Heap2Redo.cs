using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Redoubt.Wal.Redo;

/// <summary>Redo of resource manager Heap2 (<c>heap2_redo</c>): pruning and freezing, visibility, many inserts at once, locks along a chain.</summary>
internal static class Heap2Redo
{
    private const int FreezePlanLength = 12;
    private const byte FreezeXvac = 0x02;
    private const byte InvalidXvac = 0x04;

    public static void Apply(in BlockChange change, Span<byte> page)
    {
        int op = change.Info & HeapRecord.OpMask;
        if (op == HeapRecord.Visible)
        {
            Visible(change, page);
            return;
        }

        if (change.Key.Fork == Fork.VisibilityMap)
        {
            HeapVisibilityMap.Clear(change, page);
            return;
        }

        switch (op)
        {
            case HeapRecord.PruneOnAccess or HeapRecord.PruneVacuumScan or HeapRecord.PruneVacuumCleanup:
                Prune(change, page);
                break;
            case HeapRecord.MultiInsert:
                MultiInsert(change, page);
                break;
            case HeapRecord.LockUpdated:
                HeapRedo.Lock(change, page, isNewest: false);
                break;
            default:
                BufPage.Fail(change, "records of this kind change no page");
                break;
        }
    }

    /// <summary><c>heap_xlog_visible</c>: reference 0 is the map's page, 1 the heap's.</summary>
    private static void Visible(in BlockChange change, Span<byte> page)
    {
        if (change.BlockId == 0)
        {
            HeapVisibilityMap.Set(change, page);
            return;
        }

        if (BufPage.IsNew(page))
        {
            BufPage.Fail(change, "the page was never initialised");
        }

        BufPage.SetFlags(page, BufPage.AllVisible);
        if ((change.Flags & BlockChangeFlags.HintsLogged) != 0)
        {
            BufPage.SetLsn(page, change.Lsn);
        }
    }

    /// <summary><c>heap_xlog_multi_insert</c>.</summary>
    [SkipLocalsInit]
    private static void MultiInsert(in BlockChange change, Span<byte> page)
    {
        // xl_heap_multi_insert: flags, a byte of padding, ntuples, offset numbers unless the page starts anew.
        var args = new RedoCursor(change.MainData);
        byte flags = args.Byte(change);
        args.Byte(change);
        int count = args.UInt16(change);
        bool init = (change.Info & HeapRecord.InitPage) != 0;
        if (init)
        {
            BufPage.Init(page, 0);
        }

        var data = new RedoCursor(change.BlockData);
        Span<byte> buffer = stackalloc byte[BufPage.Size];
        for (int i = 0; i < count; i++)
        {
            int offset = init ? i + 1 : args.UInt16(change);

            // Every xl_multi_insert_tuple is aligned to 2 bytes.
            if (((change.BlockData.Length - data.Rest.Length) & 1) != 0)
            {
                data.Byte(change);
            }

            int length = data.UInt16(change);
            ushort infomask2 = data.UInt16(change);
            ushort infomask = data.UInt16(change);
            byte dataOffset = data.Byte(change);
            length = HeapTuple.Build(
                change, buffer, infomask2, infomask, dataOffset, HeapRedo.Limited(change, data.Take(change, length)));
            new HeapTuple(buffer).SetCtid(change.Key.Block, offset);
            HeapRedo.Add(change, page, buffer[..length], offset);
        }

        if (!data.IsEmpty)
        {
            BufPage.Fail(change, $"{data.Rest.Length} bytes are left after the last tuple");
        }

        BufPage.SetLsn(page, change.Lsn);
        if ((flags & HeapRecord.InsertAllVisibleCleared) != 0)
        {
            BufPage.ClearFlags(page, BufPage.AllVisible);
        }

        if ((flags & HeapRecord.InsertAllFrozenSet) != 0)
        {
            BufPage.SetFlags(page, BufPage.AllVisible);
        }
    }

    /// <summary><c>heap_xlog_prune_freeze</c>.</summary>
    private static void Prune(in BlockChange change, Span<byte> page)
    {
        var args = new RedoCursor(change.MainData);
        args.Byte(change);
        byte flags = args.Byte(change);
        var data = new RedoCursor(change.BlockData);
        ReadOnlySpan<byte> plans = default;
        if ((flags & HeapRecord.PruneHasFreezePlans) != 0)
        {
            int count = data.UInt16(change);
            data.UInt16(change);
            plans = data.Take(change, count * FreezePlanLength);
        }

        var redirected = TakeOffsets(change, ref data, flags & HeapRecord.PruneHasRedirections, 2);
        var dead = TakeOffsets(change, ref data, flags & HeapRecord.PruneHasDeadItems, 1);
        var unused = TakeOffsets(change, ref data, flags & HeapRecord.PruneHasNowUnusedItems, 1);
        if (!redirected.IsEmpty || !dead.IsEmpty || !unused.IsEmpty)
        {
            SetLinePointers(change, page, redirected, dead, unused);
            if ((flags & HeapRecord.PruneCleanupLock) != 0)
            {
                BufPage.RepairFragmentation(change, page);
            }
            else
            {
                BufPage.TruncateLinePointerArray(change, page);
            }
        }

        for (; !plans.IsEmpty; plans = plans[FreezePlanLength..])
        {
            int tuples = HeapRecord.UInt16(plans, 10);
            for (int i = 0; i < tuples; i++)
            {
                Freeze(HeapTuple.At(change, page, data.UInt16(change)), plans);
            }
        }

        BufPage.SetLsn(page, change.Lsn);
    }

    /// <summary>The line-pointer half of <c>heap_page_prune_execute</c> (access/heap/pruneheap.c).</summary>
    private static void SetLinePointers(
        in BlockChange change, Span<byte> page, ReadOnlySpan<byte> redirected, ReadOnlySpan<byte> dead, ReadOnlySpan<byte> unused)
    {
        for (; !redirected.IsEmpty; redirected = redirected[4..])
        {
            int from = HeapRecord.UInt16(redirected, 0);
            BufPage.CheckedItemId(change, page, from);
            BufPage.SetItemId(page, from, ItemId.Make(HeapRecord.UInt16(redirected, 2), ItemId.Redirect, 0));
        }

        for (; !dead.IsEmpty; dead = dead[2..])
        {
            int offset = BinaryPrimitives.ReadUInt16LittleEndian(dead);
            BufPage.CheckedItemId(change, page, offset);
            BufPage.SetItemId(page, offset, ItemId.Make(0, ItemId.Dead, 0));
        }

        for (; !unused.IsEmpty; unused = unused[2..])
        {
            int offset = BinaryPrimitives.ReadUInt16LittleEndian(unused);
            BufPage.CheckedItemId(change, page, offset);
            BufPage.SetItemId(page, offset, ItemId.Make(0, ItemId.Unused, 0));
        }
    }

    /// <summary><c>heap_execute_freeze_tuple</c> with an <c>xlhp_freeze_plan</c>.</summary>
    private static void Freeze(HeapTuple tuple, ReadOnlySpan<byte> plan)
    {
        tuple.Xmax = HeapRecord.UInt32(plan, 0);
        byte how = plan[8];
        if ((how & FreezeXvac) != 0)
        {
            // FrozenTransactionId
            tuple.Field3 = 2;
        }

        if ((how & InvalidXvac) != 0)
        {
            tuple.Field3 = 0;
        }

        tuple.Infomask2 = HeapRecord.UInt16(plan, 4);
        tuple.Infomask = HeapRecord.UInt16(plan, 6);
    }

    private static ReadOnlySpan<byte> TakeOffsets(in BlockChange change, ref RedoCursor data, int has, int perItem) =>
        has == 0 ? default : data.Take(change, data.UInt16(change) * 2 * perItem);
}
