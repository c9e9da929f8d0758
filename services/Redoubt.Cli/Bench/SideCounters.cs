namespace Redoubt.Cli.Bench;

/// <summary>What a side counts of its log since it started.</summary>
/// <param name="Rounds">Shipments to the quorum, or flushes of a stock primary's log; null when it does not tell.</param>
/// <param name="BytesSent">Bytes of log sent, all copies together.</param>
internal readonly record struct SideCounters(double? Rounds, double BytesSent)
{
    public static SideCounters operator -(SideCounters a, SideCounters b) => new(a.Rounds - b.Rounds, a.BytesSent - b.BytesSent);

    public static SideCounters operator +(SideCounters a, SideCounters b) => new(a.Rounds + b.Rounds, a.BytesSent + b.BytesSent);
}
