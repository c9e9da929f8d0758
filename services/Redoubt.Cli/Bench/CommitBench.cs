using System.Runtime.InteropServices;

namespace Redoubt.Cli.Bench;

/// <summary>
/// Commits per second beside a stock PostgreSQL with the same number of durable copies: streaming standbys, of which as many must
/// have flushed as make Redoubt's write quorum together with the primary. Both run pgbench's transactions in turn, and while one does the other
/// stands still, its background work too; each turn has a short run before it that is not counted.
/// </summary>
internal static partial class CommitBench
{
    private const int Turns = 2;
    private const int LeadInSeconds = 2;
    private static readonly int[] Clients = [1, 4, 16, 64];

    public static async Task<BenchReport> RunAsync(BenchOptions options, CancellationToken cancellation)
    {
        var settings = new Dictionary<string, string> { ["max_connections"] = "200", ["shared_buffers"] = "256MB", ["max_wal_size"] = "8GB", ["checkpoint_timeout"] = "30min" };
        var report = new BenchReport("commit");
        options.Say($"starting a stock PostgreSQL {options.Postgres} and filling it");
        await using var stock = await StockCluster.StartAsync(options.Postgres, settings, cancellation);
        var stockBench = new PgBench(stock.Primary.ConnectionString());
        await stockBench.InitializeAsync(options.Scale, cancellation);
        int standbys = options.Copies - 1, needed = options.Copies switch { 6 => 3, 3 => 1, _ => 0 };
        string peer = $"stock {options.Postgres}";
        if (needed > 0)
        {
            options.Say($"adding {standbys} streaming standbys");
            await stock.AddStandbysAsync(standbys, needed, cancellation);
            peer += $", ANY {needed} of {standbys}";
        }

        options.Say("starting Redoubt and filling it");
        await using var redoubt = await BenchCluster.StartAsync(options, settings, cancellation);
        var ours = new PgBench(redoubt.ConnectionString);
        await ours.InitializeAsync(options.Scale, cancellation);

        // Caches and just-in-time compilation.
        await ours.TransactionsAsync(8, Math.Max(3, options.Seconds / 3), cancellation);
        await stockBench.TransactionsAsync(8, Math.Max(3, options.Seconds / 3), cancellation);
        foreach (int clients in Clients)
        {
            var before = await redoubt.MetricsAsync(cancellation);
            double mine = 0, theirs = 0;
            int turn = Math.Max(1, options.Seconds / Turns);
            for (int i = 0; i < Turns; i++)
            {
                using (stock.Pause())
                {
                    mine += await TurnAsync(ours, clients, turn, cancellation) / Turns;
                }

                using (await redoubt.PauseAsync())
                {
                    theirs += await TurnAsync(stockBench, clients, turn, cancellation) / Turns;
                }
            }

            report.Add($"{clients} client{(clients == 1 ? "" : "s")}", "tps", mine, theirs, peer);
            Explain(report, clients, mine, before, await redoubt.MetricsAsync(cancellation));
            options.Say($"{clients} clients: {report.Rows.Last(r => r.Unit == "tps").Ratio:0.00}x");
        }

        var (agent, storage) = await redoubt.ResidentAsync();
        report.Add("resident memory of the agent", "MiB", agent);
        report.Add("resident memory of a storage process", "MiB", storage);
        return report;
    }

    private static async Task<double> TurnAsync(PgBench bench, int clients, int seconds, CancellationToken cancellation)
    {
        // What the other side left in the page cache goes to the disk now.
        sync();
        await bench.TransactionsAsync(clients, LeadInSeconds, cancellation);
        return (await bench.TransactionsAsync(clients, seconds, cancellation)).Tps;
    }

    [LibraryImport("libc")]
    private static partial void sync();

    /// <summary>Where a commit's time went, from the agent's histograms.</summary>
    private static void Explain(BenchReport report, int clients, double tps, Dictionary<string, double> before, Dictionary<string, double> after)
    {
        double Mean(string stage)
        {
            string sum = $"redoubt_commit_stage_seconds_sum{{stage=\"{stage}\"}}", count = $"redoubt_commit_stage_seconds_count{{stage=\"{stage}\"}}";
            double n = after.GetValueOrDefault(count) - before.GetValueOrDefault(count);
            return n <= 0 ? 0 : (after.GetValueOrDefault(sum) - before.GetValueOrDefault(sum)) / n * 1e6;
        }

        double bytes = after.GetValueOrDefault("redoubt_shipment_bytes_sum") - before.GetValueOrDefault("redoubt_shipment_bytes_sum");
        double shipments = after.GetValueOrDefault("redoubt_shipment_bytes_count") - before.GetValueOrDefault("redoubt_shipment_bytes_count");
        report.Notes.Add(
            $"{clients} clients: a transaction takes {clients / tps * 1e6:N0} us for its client; of that, a shipment of log ({(shipments > 0 ? bytes / shipments : 0):N0} B) takes "
            + $"{Mean("framed"):N0} us to frame, {Mean("sent"):N0} us to send, {Mean("quorum"):N0} us until the write quorum has it, {Mean("feedback"):N0} us to report; "
            + $"the rest is PostgreSQL, its walsender and its wake-up.");
    }
}
