using System.Diagnostics;

namespace Redoubt.Compute.Runtime;

/// <summary>Times the stages of a start.</summary>
internal sealed class StageClock
{
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly Dictionary<string, long> _stages = [];
    private long _last = Stopwatch.GetTimestamp();

    public IReadOnlyDictionary<string, long> Stages => _stages;

    public long TotalMs => (long)Stopwatch.GetElapsedTime(_began).TotalMilliseconds;

    /// <summary>The stage that ends now; returns its ms.</summary>
    public long End(string stage)
    {
        long ms = (long)Stopwatch.GetElapsedTime(_last).TotalMilliseconds;
        _stages[stage] = ms;
        _last = Stopwatch.GetTimestamp();
        return ms;
    }

    public override string ToString() => string.Join(", ", _stages.Select(s => $"{s.Key} {s.Value}"));
}
