using System.Globalization;
using System.Text.RegularExpressions;

namespace Redoubt.Cli.Bench;

/// <summary>What pgbench says of the time since it last said something.</summary>
/// <param name="AtSeconds">Since it began.</param>
/// <param name="Tps">Transactions a second.</param>
/// <param name="LatencyMs">What one took; not a number when none ended.</param>
internal readonly partial record struct PgBenchProgress(double AtSeconds, double Tps, double LatencyMs)
{
    /// <summary>Takes a line such as <c>progress: 1.0 s, 1033.9 tps, lat 0.967 ms stddev 0.123, 0 failed</c> apart; null when it is another one.</summary>
    public static PgBenchProgress? TryParse(string line)
    {
        var match = Line().Match(line);
        double Number(int group) => double.TryParse(match.Groups[group].Value, CultureInfo.InvariantCulture, out double value) ? value : double.NaN;
        return match.Success ? new PgBenchProgress(Number(1), Number(2), Number(3)) : null;
    }

    [GeneratedRegex(@"^progress: ([0-9.]+) s, ([0-9.]+) tps, lat (\S+) ms")]
    private static partial Regex Line();
}
