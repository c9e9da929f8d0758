namespace Redoubt.Verify.Bench;

/// <summary>Figures of <see cref="RedoBench"/>; times in seconds.</summary>
public sealed class RedoBenchResult
{
    /// <summary>Bytes of log.</summary>
    public long Bytes { get; set; }

    public long Records { get; set; }

    public long BlockChanges { get; set; }

    /// <summary>Cutting out records and checking their CRCs, one core.</summary>
    public double ReadSeconds { get; set; }

    /// <summary>The same, and splitting records into block changes, one core.</summary>
    public double SplitSeconds { get; set; }

    /// <summary>Bytes allocated per record while splitting.</summary>
    public double AllocatedPerRecord { get; set; }

    /// <summary>Everything, on all cores.</summary>
    public double ApplySeconds { get; set; }

    /// <summary>Processor time of the same, all threads.</summary>
    public double ApplyCpuSeconds { get; set; }

    /// <summary>PostgreSQL's crash recovery of the same log, as its "redo done" says.</summary>
    public double PostgresSeconds { get; set; }

    /// <summary>Processor time of the same, of its one process.</summary>
    public double PostgresCpuSeconds { get; set; }
}
