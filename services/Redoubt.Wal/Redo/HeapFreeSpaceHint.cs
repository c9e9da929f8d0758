namespace Redoubt.Wal.Redo;

/// <summary>When heap redo tells the free-space map about a page.</summary>
internal static class HeapFreeSpaceHint
{
    // "Arbitrarily, our definition of low is less than 20%" (heap_xlog_insert).
    private const int Low = PageRedo.PageSize / 5;

    public static bool Get(in BlockChange change, ReadOnlySpan<byte> page, out int freeBytes)
    {
        freeBytes = 0;
        if (change.Key.Fork != Fork.Main || BufPage.IsNew(page))
        {
            return false;
        }

        bool restored = (change.Flags & BlockChangeFlags.ApplyImage) != 0;
        int op = change.Info & HeapRecord.OpMask;
        switch (change.Rmgr)
        {
            case RmgrId.Heap when !restored && change.BlockId == 0 && op is (HeapRecord.Insert or HeapRecord.Update):
            case RmgrId.Heap2 when !restored && op == HeapRecord.MultiInsert:
                freeBytes = BufPage.HeapFreeSpace(change, page);
                return freeBytes < Low;
            case RmgrId.Heap2 when op is HeapRecord.PruneOnAccess or HeapRecord.PruneVacuumScan or HeapRecord.PruneVacuumCleanup:
            {
                if (!HeapRecord.Frees(change.MainData))
                {
                    return false;
                }

                freeBytes = BufPage.HeapFreeSpace(change, page);
                return true;
            }

            case RmgrId.Heap2 when op == HeapRecord.Visible && change.BlockId == 1:
                freeBytes = BufPage.FreeSpace(page);
                return (HeapVisibilityMap.VisibleFlags(change) & VisibilityMap.ValidBits) != 0;
            default:
                return false;
        }
    }
}
