using Redoubt.Cli.Bench.Usage;

namespace Redoubt.Cli.Bench;

/// <summary>
/// Commits per second beside a stock PostgreSQL with the same number of durable copies: streaming standbys, of which as many must
/// have flushed as make Redoubt's write quorum together with the primary. Both run pgbench's transactions in turn, and while one does the other
/// stands still, its background work too. Beside each row: what a transaction costs each role, and what bounds the row.
/// </summary>
internal static class CommitBench
{
    private const int Turns = 2;
    private const int WarmUpClients = 8;

    public static async Task<BenchReport> RunAsync(BenchOptions options, CancellationToken cancellation)
    {
        var report = new BenchReport("commit");
        string? obstacle = await SystemCalls.ObstacleAsync(cancellation);
        options.Say("timing the disk");
        var disk = DiskProbe.Measure(options.Copies);
        options.Say($"starting a stock PostgreSQL {options.Postgres} and filling it, scale {options.Scale}");
        await using var stock = await StockCluster.StartAsync(options, cancellation);
        await new PgBench(stock.ConnectionString).InitializeAsync(options.Scale, cancellation);
        await stock.AddStandbysAsync(options, cancellation);
        options.Say("starting Redoubt and filling it");
        await using var redoubt = await BenchCluster.StartAsync(options, cancellation);
        await new PgBench(redoubt.ConnectionString).InitializeAsync(options.Scale, cancellation);

        // Caches and just-in-time compilation.
        int warmUp = Math.Max(1, options.Seconds / 3), turn = Math.Max(1, options.Seconds / Turns);
        await TurnAsync(redoubt, stock, WarmUpClients, warmUp, false, cancellation);
        await TurnAsync(stock, redoubt, WarmUpClients, warmUp, false, cancellation);
        foreach (int clients in options.Clients)
        {
            // System calls are counted in the first turn.
            var ours = await TurnAsync(redoubt, stock, clients, turn, obstacle is null, cancellation);
            var theirs = await TurnAsync(stock, redoubt, clients, turn, obstacle is null, cancellation);
            for (int i = 1; i < Turns; i++)
            {
                ours += await TurnAsync(redoubt, stock, clients, turn, false, cancellation);
                theirs += await TurnAsync(stock, redoubt, clients, turn, false, cancellation);
            }

            string name = clients == 1 ? "1 client" : $"{clients} clients";
            report.Add(name, "tps", ours.Tps, theirs.Tps, options.Peer);
            CommitParts.Add(report, name, ours, theirs);
            report.Notes.Add(CommitVerdict.Of($"{name}, Redoubt", clients, ours, disk));
            report.Notes.Add(CommitVerdict.Of($"{name}, stock", clients, theirs, disk));
            options.Say($"{name}: {ours.Tps:N0} and {theirs.Tps:N0} tps, {ours.Tps / theirs.Tps:0.00}x");
        }

        var (agent, storage) = await redoubt.MemoryAsync("VmRSS");
        report.Add("resident memory of the agent", "MiB", agent);
        report.Add("resident memory of a storage process", "MiB", storage);
        report.Add($"fdatasync of 4 KiB, {options.Copies} at once", "us", disk.TogetherUs);
        report.Notes.Add("Processor time is of /proc/PID/stat and schedstat, children that ended included; a context switch is a wait that ended or a processor taken away.");
        if (obstacle is not null)
        {
            report.Notes.Add($"System calls were not counted: {obstacle}. Context switches stand in for them.");
        }

        return report;
    }

    private static async Task<TurnFigures> TurnAsync(IBenchSide side, IBenchSide other, int clients, int seconds, bool countSystemCalls, CancellationToken cancellation)
    {
        using (await other.PauseAsync())
        {
            return await CommitTurn.RunAsync(side, clients, seconds, countSystemCalls, cancellation);
        }
    }
}
