using System.Buffers.Binary;
using Redoubt.Wal.Redo;

namespace Redoubt.Wal;

/// <summary>What a change does to the room on the heap page that it touches.</summary>
public enum SpaceEffect
{
    /// <summary>Nothing, or the page is none of a heap's.</summary>
    None,

    /// <summary>There may be less room, or it is now known to be a heap's page.</summary>
    Changed,

    /// <summary>There may be more room than before.</summary>
    Freed,
}

/// <summary>Room on heap pages, for whoever keeps free-space maps: PostgreSQL's redo records it after the same kinds of records
/// (<c>XLogRecordPageWithFreeSpace</c> in access/heap/heapam_xlog.c).</summary>
public static class HeapSpace
{
    /// <summary>What a change does to its page's room, told from the record alone.</summary>
    public static SpaceEffect Of(in BlockChange change)
    {
        if (change.Key.Fork != Fork.Main)
        {
            return SpaceEffect.None;
        }

        int op = change.Info & HeapRecord.OpMask;
        switch (change.Rmgr)
        {
            case RmgrId.Heap:
                // Of an update across pages, the old page (block 1) keeps its bytes until it is pruned.
                return change.BlockId == 0 && op is HeapRecord.Insert or HeapRecord.Update or HeapRecord.HotUpdate
                    ? SpaceEffect.Changed : SpaceEffect.None;
            case RmgrId.Heap2 when op is HeapRecord.PruneOnAccess or HeapRecord.PruneVacuumScan or HeapRecord.PruneVacuumCleanup:
                return HeapRecord.Frees(change.MainData) ? SpaceEffect.Freed : SpaceEffect.None;
            case RmgrId.Heap2 when op is HeapRecord.MultiInsert || (op == HeapRecord.Visible && change.BlockId == 1):
                return SpaceEffect.Changed;
            default:
                return SpaceEffect.None;
        }
    }

    /// <summary>Bytes that one more tuple may have on a heap page (<c>PageGetHeapFreeSpace</c>); 0 for a page that is not initialised or makes no sense.</summary>
    /// <param name="page">8,192 bytes.</param>
    public static int FreeBytes(ReadOnlySpan<byte> page)
    {
        int lower = BinaryPrimitives.ReadUInt16LittleEndian(page[12..]);
        int upper = BinaryPrimitives.ReadUInt16LittleEndian(page[14..]);
        return BufPage.IsNew(page) || lower > upper || upper > PageRedo.PageSize ? 0 : BufPage.HeapFreeSpace(default, page);
    }
}
