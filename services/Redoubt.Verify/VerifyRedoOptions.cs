using Redoubt.Verify.Workloads;
using Redoubt.Wal;

namespace Redoubt.Verify;

/// <summary>What <see cref="VerifyRedo"/> is to do.</summary>
public sealed record VerifyRedoOptions
{
    public required PgVersion Version { get; init; }

    /// <summary>Folder with <c>postgres</c> and <c>initdb</c> of that version.</summary>
    public required string BinFolder { get; init; }

    /// <summary>SQL files for psql, run in this order in one database; none: the built-in workloads.</summary>
    public IReadOnlyList<string> Workloads { get; init; } = [];

    /// <summary>How much the built-in workloads do.</summary>
    public WorkloadScale Scale { get; init; } = WorkloadScale.Full;

    /// <summary>Folder for servers and pages; must be short (a unix socket lives in it). Null: a new one under the temporary folder,
    /// removed at the end.</summary>
    public string? ScratchFolder { get; init; }

    /// <summary>Folder that gets the pages of the first mismatches; null: none is written.</summary>
    public string? DumpFolder { get; init; }

    /// <summary>How many differences and refusals are put into words; all are counted.</summary>
    public int MaxMessages { get; init; } = 50;

    /// <summary>Receives one line per step.</summary>
    public Action<string>? Progress { get; init; }

    /// <summary>The redo under test; null for the real one.</summary>
    public PageApplier? Apply { get; init; }

    /// <summary>Records whose redo is left out, so that a test can see that this is noticed; null: none.</summary>
    public RecordFilter? Forgets { get; init; }

    /// <summary>Which passes of the built-in workloads to run; all by default.</summary>
    public VerifyPasses Passes { get; init; } = VerifyPasses.All;
}

/// <summary>The passes of <see cref="VerifyRedo"/>.</summary>
[Flags]
public enum VerifyPasses
{
    None = 0,

    /// <summary>Every record carries the image of every page it changes; no full-page writes, as in Redoubt's own computes.</summary>
    Images = 1,

    /// <summary>Full-page writes, compressed images, hint bits logged, data checksums.</summary>
    FullPageWrites = 2,

    /// <summary>No images: pages, SLRUs and small files compared with a stock standby that replayed the same log.</summary>
    Standby = 4,

    All = Images | FullPageWrites | Standby,
}
