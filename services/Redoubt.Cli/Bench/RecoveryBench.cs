using System.Diagnostics;
using Npgsql;

namespace Redoubt.Cli.Bench;

/// <summary>
/// SIGKILL under load, then the time until the first new commit, for growing amounts of log since the last checkpoint: a stock
/// PostgreSQL replays it, Redoubt's compute replays nothing.
/// </summary>
internal static class RecoveryBench
{
    private const int Writers = 2;

    public static async Task<BenchReport> RunAsync(BenchOptions options, CancellationToken cancellation)
    {
        var settings = new Dictionary<string, string> { ["max_connections"] = "100", ["shared_buffers"] = "256MB", ["max_wal_size"] = "16GB", ["checkpoint_timeout"] = "1h" };
        var report = new BenchReport("recovery");
        await using var stock = await StockCluster.StartAsync(options.Postgres, settings, cancellation);
        await using var redoubt = await BenchCluster.StartAsync(options, settings, cancellation);
        string peer = $"stock {options.Postgres} crash recovery";
        foreach (string connection in new[] { stock.Primary.ConnectionString(), redoubt.ConnectionString })
        {
            await ExecuteAsync(connection, "CREATE TABLE load (id int PRIMARY KEY, v bigint, pad text) WITH (fillfactor = 50)", cancellation);
            await ExecuteAsync(connection, "INSERT INTO load SELECT i, 0, repeat('x', 100) FROM generate_series(1, 200000) i", cancellation);
            await ExecuteAsync(connection, "CREATE TABLE alive (at timestamptz DEFAULT now())", cancellation);
        }

        long[] sizes = [(long)options.LogMiB << 16, (long)options.LogMiB << 18, (long)options.LogMiB << 20];
        foreach (long size in sizes)
        {
            options.Say($"{size >> 20} MiB of log since the last checkpoint");
            double theirs = await MeasureAsync(stock.Primary.ConnectionString(), size, killed => stock.CrashAndRecoverAsync(killed, cancellation), cancellation);
            double ours = await MeasureAsync(redoubt.ConnectionString, size, killed =>
            {
                killed();
                return redoubt.KillAsync("compute");
            }, cancellation);
            report.Add($"{size >> 20} MiB of log", "ms", ours, theirs, peer);
            options.Say($"Redoubt {ours:N0} ms, stock {theirs:N0} ms");
        }

        var stages = (await redoubt.StatusAsync()).Processes.First(p => p.Role == "primary").StartedMs;
        if (stages is not null)
        {
            report.Notes.Add("Redoubt's last start: " + string.Join(", ", stages.Select(s => $"{s.Key} {s.Value:0} ms")));
        }

        double flat = report.Rows[^1].Redoubt / Math.Max(1, report.Rows[0].Redoubt);
        report.Notes.Add($"Redoubt with {sizes[^1] >> 20} MiB takes {flat:0.00} times what it takes with {sizes[0] >> 20} MiB.");
        return report;
    }

    /// <summary>Milliseconds from SIGKILL to the first commit of a client that tries again and again.</summary>
    private static async Task<double> MeasureAsync(string connection, long logBytes, Func<Action, Task> crash, CancellationToken cancellation)
    {
        await ExecuteAsync(connection, "CHECKPOINT", cancellation);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        long start = await LsnAsync(connection, cancellation);
        var writers = Enumerable.Range(0, Writers).Select(w => WriteAsync(connection, w, stop.Token)).ToArray();
        while (await LsnAsync(connection, cancellation) - start < logBytes)
        {
            if (writers.FirstOrDefault(w => w.IsFaulted) is { } broken)
            {
                await broken;
            }

            await Task.Delay(100, cancellation);
        }

        long killedAt = 0;
        var crashing = Task.Run(() => crash(() => killedAt = Stopwatch.GetTimestamp()), cancellation);
        while (Volatile.Read(ref killedAt) == 0 && !crashing.IsCompleted)
        {
            await Task.Delay(1, cancellation);
        }

        await stop.CancelAsync();
        foreach (var writer in writers)
        {
            await writer.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        // The kill takes effect a moment after it is asked for: a commit counts only on a server that started after it.
        await crashing;
        while (true)
        {
            try
            {
                await ExecuteAsync(connection, "INSERT INTO alive DEFAULT VALUES", cancellation);
                return Stopwatch.GetElapsedTime(killedAt).TotalMilliseconds;
            }
            catch (NpgsqlException)
            {
                await Task.Delay(5, cancellation);
            }
        }
    }

    private static async Task WriteAsync(string connectionString, int writer, CancellationToken cancellation)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellation);
        for (int round = 0; ; round++)
        {
            await using var command = new NpgsqlCommand($"UPDATE load SET v = v + 1 WHERE id % {Writers} = {writer} AND id / {Writers} % 50 = {round % 50}", connection);
            await command.ExecuteNonQueryAsync(cancellation);
        }
    }

    private static async Task<long> LsnAsync(string connectionString, CancellationToken cancellation)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellation);
        await using var command = new NpgsqlCommand("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint", connection);
        return (long)(await command.ExecuteScalarAsync(cancellation))!;
    }

    private static async Task ExecuteAsync(string connectionString, string sql, CancellationToken cancellation)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellation);
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellation);
    }
}
