using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>Kinds, lengths and flags of heap records (access/heapam_xlog.h; the same in 17 and 18 as far as redo reads them).</summary>
internal static class HeapRecord
{
    public const byte OpMask = 0x70;
    public const byte InitPage = 0x80;

    // RM_HEAP_ID
    public const byte Insert = 0x00;
    public const byte Delete = 0x10;
    public const byte Update = 0x20;
    public const byte Truncate = 0x30;
    public const byte HotUpdate = 0x40;
    public const byte Confirm = 0x50;
    public const byte Lock = 0x60;
    public const byte Inplace = 0x70;

    // RM_HEAP2_ID
    public const byte Rewrite = 0x00;
    public const byte PruneOnAccess = 0x10;
    public const byte PruneVacuumScan = 0x20;
    public const byte PruneVacuumCleanup = 0x30;
    public const byte Visible = 0x40;
    public const byte MultiInsert = 0x50;
    public const byte LockUpdated = 0x60;
    public const byte NewCid = 0x70;

    public const byte InsertAllVisibleCleared = 1 << 0;
    public const byte InsertAllFrozenSet = 1 << 5;
    public const byte DeleteAllVisibleCleared = 1 << 0;
    public const byte DeleteIsSuper = 1 << 3;
    public const byte DeleteIsPartitionMove = 1 << 4;
    public const byte UpdateOldAllVisibleCleared = 1 << 0;
    public const byte UpdateNewAllVisibleCleared = 1 << 1;
    public const byte UpdatePrefixFromOld = 1 << 5;
    public const byte UpdateSuffixFromOld = 1 << 6;
    public const byte LockAllFrozenCleared = 0x01;

    // xl_heap_prune.flags
    public const byte PruneCleanupLock = 1 << 2;
    public const byte PruneHasConflictHorizon = 1 << 3;
    public const byte PruneHasFreezePlans = 1 << 4;
    public const byte PruneHasRedirections = 1 << 5;
    public const byte PruneHasDeadItems = 1 << 6;
    public const byte PruneHasNowUnusedItems = 1 << 7;

    public const int InsertLength = 3;
    public const int DeleteLength = 8;
    public const int UpdateLength = 14;
    public const int LockLength = 8;
    public const int ConfirmLength = 2;
    public const int InplaceLength = 2;

    /// <summary>Block reference of the old page of an update across pages.</summary>
    public const int OldBlock = 1;

    /// <summary>Bytes of main data of a Heap record that redo reads.</summary>
    public static int FixedLength(byte info) => (info & OpMask) switch
    {
        Insert => InsertLength,
        Delete => DeleteLength,
        Update or HotUpdate => UpdateLength,
        Lock => LockLength,
        Confirm => ConfirmLength,
        Inplace => InplaceLength,
        _ => 0,
    };

    /// <summary>Which visibility-map bits a heap record clears, 0 for none, and of which of its heap pages.</summary>
    public static byte ClearedBits(byte rmgr, byte info, ReadOnlySpan<byte> mainData, out bool ofOld, out bool ofNew)
    {
        ofOld = false;
        ofNew = false;
        byte op = (byte)(info & OpMask);
        if (rmgr == RmgrId.Heap && op is Update or HotUpdate)
        {
            byte flags = At(mainData, 7);
            ofOld = (flags & UpdateOldAllVisibleCleared) != 0;
            ofNew = (flags & UpdateNewAllVisibleCleared) != 0;
            return ofOld || ofNew ? VisibilityMap.ValidBits : (byte)0;
        }

        byte bits = (rmgr, op) switch
        {
            (RmgrId.Heap, Insert) => (At(mainData, 2) & InsertAllVisibleCleared) != 0 ? VisibilityMap.ValidBits : (byte)0,
            (RmgrId.Heap, Delete) => (At(mainData, 7) & DeleteAllVisibleCleared) != 0 ? VisibilityMap.ValidBits : (byte)0,
            (RmgrId.Heap, Lock) or (RmgrId.Heap2, LockUpdated) =>
                (At(mainData, 7) & LockAllFrozenCleared) != 0 ? VisibilityMap.AllFrozen : (byte)0,
            (RmgrId.Heap2, MultiInsert) => (At(mainData, 0) & InsertAllVisibleCleared) != 0 ? VisibilityMap.ValidBits : (byte)0,
            _ => 0,
        };
        ofNew = bits != 0;
        return bits;
    }

    /// <summary>Whether a prune record (its <c>xl_heap_prune</c>) leaves line pointers redirected, dead or unused.</summary>
    public static bool Frees(ReadOnlySpan<byte> mainData) =>
        (At(mainData, 1) & (PruneHasRedirections | PruneHasDeadItems | PruneHasNowUnusedItems)) != 0;

    private static byte At(ReadOnlySpan<byte> mainData, int offset) => offset < mainData.Length ? mainData[offset] : (byte)0;

    public static ushort UInt16(ReadOnlySpan<byte> data, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(data[offset..]);

    public static uint UInt32(ReadOnlySpan<byte> data, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(data[offset..]);
}
