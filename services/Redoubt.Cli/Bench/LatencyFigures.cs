namespace Redoubt.Cli.Bench;

/// <summary>How long many things of one kind took.</summary>
/// <param name="Count">How many.</param>
/// <param name="MedianMs">Half took no longer.</param>
/// <param name="P99Ms">99 of 100 took no longer.</param>
/// <param name="LongestMs">All took no longer.</param>
internal readonly record struct LatencyFigures(int Count, double MedianMs, double P99Ms, double LongestMs)
{
    /// <summary>Zeros when there are none.</summary>
    public static LatencyFigures Of(IReadOnlyCollection<double> ms)
    {
        double[] sorted = [.. ms.Order()];
        double At(double share) => sorted.Length == 0 ? 0 : sorted[Math.Max(0, (int)Math.Ceiling(share * sorted.Length) - 1)];
        return new LatencyFigures(sorted.Length, At(0.5), At(0.99), At(1));
    }
}
