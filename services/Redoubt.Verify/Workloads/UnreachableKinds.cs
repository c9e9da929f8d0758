using Redoubt.Wal;

namespace Redoubt.Verify.Workloads;

/// <summary>Record kinds that PostgreSQL has redo for, but that a primary whose log Redoubt keeps never writes, and why.</summary>
public static class UnreachableKinds
{
    private static readonly Dictionary<(byte Rmgr, byte Info), string> Reasons = new()
    {
        [(RmgrId.Xlog, 0x20)] = "no code of PostgreSQL 17 or 18 writes it (access/transam/xlog.c only replays it)",
        [(RmgrId.Xlog, 0x90)] = "written by the promotion of a standby, which begins another timeline; a Redoubt primary never leaves timeline 1",
        [(RmgrId.Xlog, 0xD0)] = "written after a crash that tore a record in two; unit tests of the reader make such a log",
        [(RmgrId.Heap, 0xC0)] = "a HOT update's page already holds the old tuple, so it is never the page's first (log_heap_update)",
        [(RmgrId.Gist, 0x70)] = "written at wal_level=minimal only (gistGetFakeLSN); Redoubt needs replica or logical",
    };

    /// <summary>Why no workload reaches the kind; null when one should.</summary>
    public static string? Reason(byte rmgr, byte info) => Reasons.GetValueOrDefault((rmgr, info));
}
