using System.Diagnostics;
using System.Runtime.InteropServices;
using Redoubt.Cli.Bench.Usage;

namespace Redoubt.Cli.Bench;

/// <summary>
/// One run of pgbench, of which a part is measured: it begins when a lead-in is over and ends while all sessions still work, so that figures of
/// processes and figures of pgbench are of the same time. System calls are counted after it, because counting costs.
/// </summary>
internal static partial class CommitTurn
{
    private const int LeadInSeconds = 2;
    private const int SystemCallSeconds = 2;
    private static readonly TimeSpan WakeUpDeadline = TimeSpan.FromSeconds(60);

    public static async Task<TurnFigures> RunAsync(IBenchSide side, int clients, int seconds, bool countSystemCalls, CancellationToken cancellation)
    {
        // What the other side left in the page cache goes to the disk now.
        sync();
        await BenchSql.UntilDoneAsync(side.ConnectionString, "UPDATE pgbench_branches SET filler = filler WHERE bid = 1", WakeUpDeadline, cancellation);
        await using var waits = await WaitSampler.OpenAsync(side.ConnectionString, cancellation);
        using var run = new PgBench(side.ConnectionString).Start(clients, LeadInSeconds + seconds + (countSystemCalls ? SystemCallSeconds + 1 : 0) + 1);
        var roots = (IReadOnlyList<ProcessRoot>)[.. await side.ProcessesAsync(), new ProcessRoot(run.Pid, _ => Roles.PgBench)];
        Moment? begin = null, end = null;
        TurnFigures? figures = null;
        Task<Dictionary<string, double>>? counting = null;
        var tpsWhileCounting = new List<double>();
        double last = 0, transactions = 0;
        await foreach (var progress in run.ProgressAsync(cancellation))
        {
            if (begin is not null && figures is null)
            {
                transactions += progress.Tps * (progress.AtSeconds - last);
                if (Stopwatch.GetElapsedTime(begin.At).TotalSeconds > seconds - 0.5)
                {
                    end = await Moment.NowAsync(side, roots, waits.BackendPid, cancellation);
                    figures = Between(begin, end) with { Transactions = transactions, Waits = await waits.EndAsync() };
                    counting = countSystemCalls ? SystemCalls.RatesAsync(end.Usage.Pids, SystemCallSeconds, cancellation) : null;
                }
            }
            else if (counting is { IsCompleted: false })
            {
                tpsWhileCounting.Add(progress.Tps);
            }
            else if (begin is null && progress.AtSeconds > LeadInSeconds - 0.5)
            {
                begin = await Moment.NowAsync(side, roots, waits.BackendPid, cancellation);
                waits.Begin();
            }

            last = progress.AtSeconds;
        }

        if (figures is null)
        {
            throw new CliException($"pgbench said nothing for {seconds} s: the server stands still.");
        }

        return counting is null || tpsWhileCounting.Count == 0 ? figures
            : figures with { SystemCalls = (await counting).ToDictionary(role => role.Key, role => role.Value / tpsWhileCounting.Average()) };
    }

    private static TurnFigures Between(Moment begin, Moment end) => new()
    {
        Seconds = Stopwatch.GetElapsedTime(begin.At, end.At).TotalSeconds,
        Roles = UsageSnapshot.Between(begin.Usage, end.Usage),
        Machine = end.Machine - begin.Machine,
        Counters = end.Counters - begin.Counters,
    };

    private sealed record Moment(long At, MachineTime Machine, UsageSnapshot Usage, SideCounters Counters)
    {
        public static async Task<Moment> NowAsync(IBenchSide side, IReadOnlyList<ProcessRoot> roots, int watcher, CancellationToken cancellation) =>
            new(Stopwatch.GetTimestamp(), MachineTime.Now(), UsageSnapshot.Take(roots, new HashSet<int> { watcher }), await side.CountersAsync(cancellation));
    }

    [LibraryImport("libc")]
    private static partial void sync();
}
