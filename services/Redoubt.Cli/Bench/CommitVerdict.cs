using System.Globalization;
using Redoubt.Cli.Bench.Usage;

namespace Redoubt.Cli.Bench;

/// <summary>Says in a sentence what bounds a row, from what was measured.</summary>
internal static class CommitVerdict
{
    /// <summary>From this share on the processors are what is waited for: a session that is ready to run seldom finds one free.</summary>
    private const double Saturated = 0.9;

    /// <param name="row">Which row, of which side.</param>
    /// <param name="clients">How many clients it had.</param>
    /// <param name="figures">What was measured.</param>
    /// <param name="disk">What the disk takes.</param>
    public static string Of(string row, int clients, TurnFigures figures, DiskProbe disk)
    {
        double busy = figures.Machine.BusyShare;
        string costs = string.Join(", ", figures.Roles.Where(r => r.Value.CpuSeconds > 0).OrderByDescending(r => r.Value.CpuSeconds).Take(4)
            .Select(r => $"{r.Key} {Number(r.Value.CpuSeconds / figures.Transactions * 1e6)}"));
        double seen = figures.Waits.Sum(w => w.Value);
        string waits = seen == 0 ? "was not seen" : string.Join(", ", figures.Waits.OrderByDescending(w => w.Value).Take(3).Select(w => $"{w.Key} {Percent(w.Value / seen)}"));
        string latency = $"a transaction takes its client {Number(clients / figures.Tps * 1e6)} us";
        string sessions = $"sessions: {waits}";
        return busy >= Saturated
            ? $"{row}: bound by the processors, {Percent(busy)} busy; they give {Number((figures.Machine.BusySeconds + figures.Machine.IdleSeconds) / figures.Transactions * 1e6)} us to a transaction, "
              + $"its own processes take {Number(figures.OwnCpuSeconds / figures.Transactions * 1e6)} ({costs}); {latency}; {sessions}."
            : $"{row}: bound by waiting, processors {Percent(busy)} busy; {latency}, of which all processes together compute {Number(figures.Roles.Sum(r => r.Value.CpuSeconds) / figures.Transactions * 1e6)} ({costs}); "
              + $"{sessions}; one fdatasync takes {Number(disk.AloneUs)} us alone, {Number(disk.TogetherUs)} beside those of the other copies{Rounds(figures)}.";
    }

    private static string Rounds(TurnFigures figures) => figures.Rounds is { } rounds ? $", {rounds.ToString("0.##", CultureInfo.InvariantCulture)} rounds a transaction" : "";

    private static string Number(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Percent(double share) => share.ToString("0%", CultureInfo.InvariantCulture);
}
