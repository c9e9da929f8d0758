namespace Redoubt.Wal.Redo;

/// <summary>What heap records do to the visibility-map pages they name (<c>heap_xlog_vm_clear</c>, <c>heap_xlog_visible</c>).</summary>
internal static class HeapVisibilityMap
{
    private const int UpdateNewMap = 2;
    private const int VisibleLength = 5;

    /// <summary>Clears the bits of the record's heap pages that lie on this map page; moves its LSN when one was set.</summary>
    public static void Clear(in BlockChange change, Span<byte> page)
    {
        byte bits = HeapRecord.ClearedBits(change.Rmgr, change.Info, change.MainData, out bool ofOld, out bool ofNew);
        uint newBlock = References.Get(change, 0);
        bool isUpdate = change.Rmgr == RmgrId.Heap && (change.Info & HeapRecord.OpMask) is HeapRecord.Update or HeapRecord.HotUpdate;
        bool cleared = false;
        if (isUpdate)
        {
            uint oldBlock = References.TryGet(change, HeapRecord.OldBlock, out uint old) ? old : newBlock;
            bool isNewMap = change.BlockId == UpdateNewMap;

            // The new page's map page stands for the old page's too when both lie on it.
            if (ofOld && (!isNewMap || VisibilityMap.MapBlock(oldBlock) == change.Key.Block))
            {
                cleared |= ClearOn(change, page, oldBlock, bits);
            }

            if (isNewMap)
            {
                cleared |= ClearOn(change, page, newBlock, bits);
            }
        }
        else if (ofNew)
        {
            cleared = ClearOn(change, page, newBlock, bits);
        }

        if (cleared)
        {
            BufPage.SetLsn(page, change.Lsn);
        }
    }

    /// <summary>Sets a heap page's bits.</summary>
    public static void Set(in BlockChange change, Span<byte> page)
    {
        byte bits = (byte)(VisibleFlags(change) & VisibilityMap.ValidBits);
        uint heapBlock = References.Get(change, 1);
        RequireOnPage(change, heapBlock);
        if (BufPage.IsNew(page))
        {
            BufPage.Init(page, 0);
        }

        if (VisibilityMap.Set(page, heapBlock, bits))
        {
            BufPage.SetLsn(page, change.Lsn);
        }
    }

    /// <summary><c>xl_heap_visible.flags</c>.</summary>
    public static byte VisibleFlags(in BlockChange change)
    {
        if (change.MainData.Length < VisibleLength)
        {
            BufPage.Fail(change, "the record's arguments end early");
        }

        return change.MainData[VisibleLength - 1];
    }

    private static bool ClearOn(in BlockChange change, Span<byte> page, uint heapBlock, byte bits)
    {
        RequireOnPage(change, heapBlock);
        return VisibilityMap.Clear(page, heapBlock, bits);
    }

    private static void RequireOnPage(in BlockChange change, uint heapBlock)
    {
        if (VisibilityMap.MapBlock(heapBlock) != change.Key.Block)
        {
            BufPage.Fail(change, $"heap block {heapBlock} is not on this map page");
        }
    }
}
