using System.Globalization;
using Redoubt.Cli.Toolchain;

namespace Redoubt.Cli.Bench.Usage;

/// <summary>Counts system calls with <c>perf stat</c>, where it is installed and this user may. It costs a little, so nothing else is measured meanwhile.</summary>
internal static class SystemCalls
{
    private const string Event = "raw_syscalls:sys_enter";

    /// <summary>Why they cannot be counted here; null when they can.</summary>
    public static async Task<string?> ObstacleAsync(CancellationToken cancellation)
    {
        if (Tool.Find("perf") is null)
        {
            return "perf is not installed (apt-get install linux-perf)";
        }

        var run = await PerfAsync(Environment.ProcessId.ToString(CultureInfo.InvariantCulture), 0.01, cancellation);
        return run.ExitCode == 0 ? null : "perf may not count them for this user (run as root, or sysctl kernel.perf_event_paranoid=-1)";
    }

    /// <summary>System calls a second of each role's processes; roles whose processes ended meanwhile are left out.</summary>
    public static async Task<Dictionary<string, double>> RatesAsync(ILookup<string, int> pids, double seconds, CancellationToken cancellation)
    {
        var counts = await Task.WhenAll(pids.Select(async role => (role.Key, Calls: Parse((await PerfAsync(string.Join(',', role), seconds, cancellation)).Error))));
        return counts.Where(c => c.Calls is not null).ToDictionary(c => c.Key, c => c.Calls!.Value / seconds);
    }

    /// <summary>The count in what <c>perf stat -x,</c> prints: <c>1234,,raw_syscalls:sys_enter,…</c>; null when it has none.</summary>
    public static double? Parse(string output)
    {
        string? line = output.Split('\n').FirstOrDefault(l => l.Contains(Event, StringComparison.Ordinal));
        return line is not null && double.TryParse(line.Split(',')[0], CultureInfo.InvariantCulture, out double calls) ? calls
            : line is not null && line.StartsWith("<not counted>", StringComparison.Ordinal) ? 0 : null;
    }

    private static Task<ToolResult> PerfAsync(string pids, double seconds, CancellationToken cancellation) => Tool.RunAsync(
        "perf", ["stat", "-x,", "-e", Event, "-p", pids, "--", "sleep", seconds.ToString(CultureInfo.InvariantCulture)],
        environment: new Dictionary<string, string> { ["LC_ALL"] = "C" }, cancellation: cancellation);
}
