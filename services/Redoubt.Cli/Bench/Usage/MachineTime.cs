using System.Globalization;

namespace Redoubt.Cli.Bench.Usage;

/// <summary>Processor time of the whole machine since it started, from <c>/proc/stat</c>.</summary>
/// <param name="BusySeconds">Spent on anything, all processors together.</param>
/// <param name="IdleSeconds">Spent on nothing, waiting for a disk included.</param>
internal readonly record struct MachineTime(double BusySeconds, double IdleSeconds)
{
    private const double TicksPerSecond = 100;

    public static MachineTime operator -(MachineTime a, MachineTime b) => new(a.BusySeconds - b.BusySeconds, a.IdleSeconds - b.IdleSeconds);

    public static MachineTime operator +(MachineTime a, MachineTime b) => new(a.BusySeconds + b.BusySeconds, a.IdleSeconds + b.IdleSeconds);

    /// <summary>Share of the processors that was busy, 0 to 1.</summary>
    public double BusyShare => BusySeconds + IdleSeconds > 0 ? BusySeconds / (BusySeconds + IdleSeconds) : 0;

    public static MachineTime Now() => Parse(File.ReadLines("/proc/stat").First());

    /// <summary>The first line: "cpu user nice system idle iowait irq softirq steal guest guest_nice"; guests are in user and nice already.</summary>
    public static MachineTime Parse(string line)
    {
        double[] ticks = [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(8).Select(t => double.Parse(t, CultureInfo.InvariantCulture))];
        double idle = ticks[3] + ticks[4];
        return new MachineTime((ticks.Sum() - idle) / TicksPerSecond, idle / TicksPerSecond);
    }
}
