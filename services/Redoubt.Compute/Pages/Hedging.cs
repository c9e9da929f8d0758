namespace Redoubt.Compute.Pages;

/// <summary>When a read asks another segment as well, because those that were asked are slow. One rule for pages and for all else that is read.</summary>
public static class Hedging
{
    /// <summary>So many are waited for at a time: when all segments are slow because there is much to do, reads must not make it several times as much. When
    /// one more is asked, the one that was asked first is given up.</summary>
    public const int MostAtOnce = 2;

    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(10);

    /// <summary>As many as are waited for at a time have been silent for so long: they may have died together, as the copies of a zone do.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(1);

    /// <summary>How long to wait for those that were asked before another one is.</summary>
    /// <param name="last">The one that was asked last.</param>
    /// <param name="asked">How many are waited for.</param>
    public static TimeSpan Patience(SegmentLatency last, int asked)
    {
        if (asked >= MostAtOnce)
        {
            return Silence;
        }

        var patience = TimeSpan.FromMilliseconds(last.Milliseconds * 4);
        return patience < Shortest ? Shortest : patience > Longest ? Longest : patience;
    }
}
