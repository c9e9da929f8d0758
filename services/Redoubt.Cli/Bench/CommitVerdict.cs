using System.Globalization;
using Redoubt.Cli.Bench.Usage;

namespace Redoubt.Cli.Bench;

/// <summary>Says in a sentence what bounds a row, from what was measured.</summary>
internal static class CommitVerdict
{
    /// <summary>From this share on the processors are what is waited for: a session that is ready to run seldom finds one free.</summary>
    private const double Saturated = 0.9;

    /// <summary>From this share on what others did on the machine is worth a word.</summary>
    private const double Worth = 0.1;

    /// <param name="row">Which row, of which side.</param>
    /// <param name="clients">How many clients it had.</param>
    /// <param name="figures">What was measured.</param>
    /// <param name="disk">What the disk takes.</param>
    public static string Of(string row, int clients, TurnFigures figures, DiskProbe disk)
    {
        double busy = figures.Machine.BusyShare, all = figures.Machine.BusySeconds + figures.Machine.IdleSeconds;
        string costs = string.Join(", ", figures.Roles.Where(r => r.Value.CpuSeconds > 0).OrderByDescending(r => r.Value.CpuSeconds).Take(4)
            .Select(r => $"{r.Key} {Number(r.Value.CpuSeconds / figures.Transactions * 1e6)}"));
        double seen = figures.Waits.Sum(w => w.Value);
        string waits = seen == 0 ? "were not seen" : string.Join(", ", figures.Waits.OrderByDescending(w => w.Value).Take(3).Select(w => $"{w.Key} {Percent(w.Value / seen)}"));
        string others = figures.OthersCpuSeconds / all > Worth ? $" ({Percent(figures.OthersCpuSeconds / all)} by others: the kernel's threads, this program, other programs)" : "";
        string computes = $"all its processes and pgbench compute {Number(figures.Roles.Sum(r => r.Value.CpuSeconds) / figures.Transactions * 1e6)} us for one ({costs})";
        string rest = $"{computes}; it takes its client {Number(clients / figures.Tps * 1e6)} us; sessions: {waits}";
        return busy >= Saturated
            ? $"{row}: bound by the processors, {Percent(busy)} busy{others}: they have {Number(all / figures.Transactions * 1e6)} us for a transaction; {rest}."
            : $"{row}: bound by waiting, processors {Percent(busy)} busy{others}; {rest}; one fdatasync takes {Number(disk.AloneUs)} us alone, "
              + $"{Number(disk.TogetherUs)} beside those of the other copies{Rounds(figures)}.";
    }

    private static string Rounds(TurnFigures figures) => figures.Rounds is { } rounds ? $"; {rounds.ToString("0.##", CultureInfo.InvariantCulture)} rounds a transaction" : "";

    private static string Number(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Percent(double share) => share.ToString("0%", CultureInfo.InvariantCulture);
}
