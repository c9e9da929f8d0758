namespace Redoubt.Storage.Segments;

/// <summary>Faults that drills switch on over HTTP; everything is off unless the process was started with REDOUBT_DRILLS=1.</summary>
public sealed class DrillState
{
    private volatile int _delayMs;
    private volatile bool _partitioned;
    private volatile bool _full;

    /// <summary>Every acknowledgement and page waits so long (ms).</summary>
    public int DelayMs
    {
        get => _delayMs;
        set => _delayMs = value;
    }

    /// <summary>No call gets in or out.</summary>
    public bool Partitioned
    {
        get => _partitioned;
        set => _partitioned = value;
    }

    /// <summary>The log behaves as if the disk were full.</summary>
    public bool Full
    {
        get => _full;
        set => _full = value;
    }
}
