using Redoubt.Cli.Local;

namespace Redoubt.Cli.Bench;

/// <summary>
/// Bytes that leave the compute for each transaction: Redoubt's log to its copies, beside what a stock PostgreSQL with full-page writes
/// writes to its volume in one checkpoint cycle of the same length: its log and its data pages.
/// </summary>
internal static class TrafficBench
{
    private const int Clients = 16;

    // Pages that any process of the server wrote, for relations: the checkpoint at the end of the cycle included.
    private const string PagesWritten17 = "SELECT coalesce(sum(writes * op_bytes), 0)::bigint + coalesce(sum(extends * op_bytes), 0)::bigint FROM pg_stat_io WHERE object = 'relation'";
    private const string PagesWritten18 = "SELECT coalesce(sum(write_bytes), 0)::bigint + coalesce(sum(extend_bytes), 0)::bigint FROM pg_stat_io WHERE object = 'relation'";

    public static async Task<BenchReport> RunAsync(BenchOptions options, CancellationToken cancellation)
    {
        var report = new BenchReport("traffic");

        options.Say($"stock PostgreSQL {options.Postgres}, scale {options.Scale}, {Clients} clients, {options.Seconds} s");
        long wal, pages, transactions;
        await using (var stock = await StockCluster.StartAsync(options, cancellation))
        {
            var bench = new PgBench(stock.ConnectionString);
            await bench.InitializeAsync(options.Scale, cancellation);
            string written = options.Postgres >= 18 ? PagesWritten18 : PagesWritten17;
            await stock.Primary.ExecuteAsync("CHECKPOINT", cancellation);
            long walBefore = await BenchSql.LogEndAsync(stock.ConnectionString, cancellation);
            long pagesBefore = await BenchSql.QueryAsync<long>(stock.ConnectionString, written, cancellation);
            transactions = (await bench.TransactionsAsync(Clients, options.Seconds, cancellation)).Transactions;
            await stock.Primary.ExecuteAsync("CHECKPOINT", cancellation);
            wal = await BenchSql.LogEndAsync(stock.ConnectionString, cancellation) - walBefore;
            pages = await BenchSql.QueryAsync<long>(stock.ConnectionString, written, cancellation) - pagesBefore;
        }

        options.Say($"Redoubt, {options.Copies} copies, the same");
        await using var redoubt = await BenchCluster.StartAsync(options, cancellation);
        var ours = new PgBench(redoubt.ConnectionString);
        await ours.InitializeAsync(options.Scale, cancellation);
        var before = await SettledAsync(redoubt, cancellation);
        long done = (await ours.TransactionsAsync(Clients, options.Seconds, cancellation)).Transactions;
        var after = await SettledAsync(redoubt, cancellation);

        double sent = after.LogBytesSent - before.LogBytesSent, received = after.PageBytesReceived - before.PageBytesReceived;
        double stockBytes = (double)(wal + pages) / transactions;
        string peer = $"stock {options.Postgres}: log with full pages + data pages";
        report.Add("one copy", "B/tx", sent / options.Copies / done, stockBytes, peer);
        report.Add($"all {options.Copies} copies", "B/tx", sent / done, stockBytes, peer);
        report.Add("log only, one copy", "B/tx", sent / options.Copies / done, (double)wal / transactions, $"stock {options.Postgres}: log with full pages");
        report.Add("pages read back", "B/tx", received / done);
        report.Notes.Add($"One copy takes {1 - (sent / options.Copies / done / stockBytes):P1} less than the stock server's volume. Stock: {wal / transactions:N0} B log and {pages / transactions:N0} B pages a transaction.");
        return report;
    }

    /// <summary>The counters once nothing moves any more: log is shipped behind the last commit.</summary>
    private static async Task<ClusterStatus.Traffic> SettledAsync(BenchCluster cluster, CancellationToken cancellation)
    {
        var last = (await cluster.StatusAsync()).Network!;
        while (true)
        {
            await Task.Delay(1000, cancellation);
            var now = (await cluster.StatusAsync()).Network!;
            if (now.LogBytesSent - last.LogBytesSent < 4096)
            {
                return now;
            }

            last = now;
        }
    }
}
