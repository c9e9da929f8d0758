using System.Diagnostics;

namespace Redoubt.Compute.Pages;

/// <summary>How fast a segment has been answering, and how many questions it has now.</summary>
public sealed class SegmentLatency
{
    private double _milliseconds = 1;
    private int _busy;

    /// <summary>Smaller is better: expected time of one more question.</summary>
    public double Score => Volatile.Read(ref _milliseconds) * (1 + Volatile.Read(ref _busy));

    /// <summary>Recent time of an answer, ms.</summary>
    public double Milliseconds => Volatile.Read(ref _milliseconds);

    public long Begin()
    {
        Interlocked.Increment(ref _busy);
        return Stopwatch.GetTimestamp();
    }

    public void End(long began, bool answered)
    {
        Interlocked.Decrement(ref _busy);
        double took = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        // An error makes it look slow for a while, so that others are asked first.
        took = answered ? took : Math.Max(took, 100);
        Volatile.Write(ref _milliseconds, (0.8 * Volatile.Read(ref _milliseconds)) + (0.2 * took));
    }
}
