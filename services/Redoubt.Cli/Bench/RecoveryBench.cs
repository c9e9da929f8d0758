using System.Diagnostics;
using Npgsql;

namespace Redoubt.Cli.Bench;

/// <summary>
/// SIGKILL under load, then the time until the first new commit, for growing amounts of log since the last checkpoint: a stock
/// PostgreSQL replays it, Redoubt's compute replays nothing, but its storage is still busy with what the load left. The comparator runs first and is gone when
/// Redoubt starts. Under load the writers try to come back at once, as an application does.
/// </summary>
internal static class RecoveryBench
{
    private const int Writers = 2;
    private const string Commit = "INSERT INTO alive DEFAULT VALUES";
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(15);

    private sealed record Recovery(double Ms, double CommitMs, double LogMiB, double WriteSeconds, IReadOnlyDictionary<string, double> Stages);

    public static async Task<BenchReport> RunAsync(BenchOptions options, CancellationToken cancellation)
    {
        var theirs = new List<Recovery>();
        await using (var stock = await StockCluster.StartAsync(options, cancellation))
        {
            await PrepareAsync(stock.ConnectionString, cancellation);
            foreach (int mib in options.MiB)
            {
                options.Say($"stock: {mib} MiB of log since the last checkpoint");
                theirs.Add(await MeasureAsync(stock, mib, options.UnderLoad, killed => stock.CrashAsync(killed, cancellation), cancellation));
                options.Say($"stock: {theirs[^1].Ms:N0} ms");
            }
        }

        var ours = new List<Recovery>();
        await using var redoubt = await BenchCluster.StartAsync(options, cancellation);
        await PrepareAsync(redoubt.ConnectionString, cancellation);
        foreach (int mib in options.MiB)
        {
            options.Say($"Redoubt: {mib} MiB of log since the last checkpoint");
            var recovery = await MeasureAsync(redoubt, mib, options.UnderLoad, killed => CrashAsync(redoubt, killed), cancellation);
            ours.Add(recovery with { Stages = await redoubt.StagesAsync(cancellation) });
            options.Say($"Redoubt: {recovery.Ms:N0} ms");
        }

        return Report(options, ours, theirs);
    }

    private static BenchReport Report(BenchOptions options, List<Recovery> ours, List<Recovery> theirs)
    {
        var report = new BenchReport("recovery");
        string under = options.UnderLoad ? ", writers come back at once" : "", peer = $"stock {options.Postgres} crash recovery";
        foreach (var ((our, their), mib) in ours.Zip(theirs).Zip(options.MiB))
        {
            string name = $"{mib} MiB of log{under}";
            report.Add(name, "ms", our.Ms, their.Ms, peer);
            foreach (var (stage, ms) in RecoveryShares.Of(our.Ms, our.CommitMs, our.Stages))
            {
                report.AddPart(name, stage, "ms", ms, null);
            }

            report.AddPart(name, "log that was written", "MiB", our.LogMiB, their.LogMiB);
            report.AddPart(name, "writing it took", "s", our.WriteSeconds, their.WriteSeconds);
        }

        report.Add("slowest over fastest", "x", Flatness(ours.Select(r => r.Ms)), Flatness(theirs.Select(r => r.Ms)), peer);
        return report;
    }

    private static double Flatness(IEnumerable<double> ms) => ms.Max() / Math.Max(1, ms.Min());

    private static async Task PrepareAsync(string connection, CancellationToken cancellation)
    {
        await BenchSql.ExecuteAsync(connection, "CREATE TABLE load (id int PRIMARY KEY, v bigint, pad text) WITH (fillfactor = 50)", cancellation);
        await BenchSql.ExecuteAsync(connection, "INSERT INTO load SELECT i, 0, repeat('x', 96) FROM generate_series(1, 200000) i", cancellation);
        await BenchSql.ExecuteAsync(connection, "CREATE TABLE alive (at timestamptz DEFAULT now())", cancellation);
    }

    private static Task CrashAsync(BenchCluster redoubt, Action killed)
    {
        killed();
        return redoubt.KillAsync("compute");
    }

    private static async Task<Recovery> MeasureAsync(IBenchSide side, int mib, bool underLoad, Func<Action, Task> crash, CancellationToken cancellation)
    {
        string connection = side.ConnectionString;
        await BenchSql.ExecuteAsync(connection, "CHECKPOINT", cancellation);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        long start = await BenchSql.LogEndAsync(connection, cancellation), written = 0, began = Stopwatch.GetTimestamp();
        bool killing = false;
        var writers = Enumerable.Range(0, Writers).Select(w => WriteAsync(connection, w, () => underLoad && Volatile.Read(ref killing), stop.Token)).ToArray();
        for (; written < (long)mib << 20; written = await BenchSql.LogEndAsync(connection, cancellation) - start)
        {
            if (writers.FirstOrDefault(w => w.IsFaulted) is { } broken)
            {
                await broken;
            }

            await Task.Delay(100, cancellation);
        }

        double writeSeconds = Stopwatch.GetElapsedTime(began).TotalSeconds;

        // The kill takes effect a moment after it is asked for: a commit counts only on a server that started after it.
        long killedAt = 0;
        Volatile.Write(ref killing, true);
        await Task.Run(() => crash(() => killedAt = Stopwatch.GetTimestamp()), cancellation);
        if (!underLoad)
        {
            await EndAsync(writers, stop);
        }

        await BenchSql.UntilDoneAsync(connection, "SELECT 1", Deadline, cancellation);
        long answered = Stopwatch.GetTimestamp();
        await BenchSql.UntilDoneAsync(connection, Commit, Deadline, cancellation);
        double ms = Stopwatch.GetElapsedTime(killedAt).TotalMilliseconds, commitMs = Stopwatch.GetElapsedTime(answered).TotalMilliseconds;
        await EndAsync(writers, stop);
        return new Recovery(ms, commitMs, written / (double)(1 << 20), writeSeconds, new Dictionary<string, double>());
    }

    /// <summary>Changes most of 2,000 rows: about 200 bytes of log each.</summary>
    private static string Update(int writer, int round) =>
        $"UPDATE load SET v = v + 1, pad = repeat(md5((id + {round})::text), 3) WHERE id % {Writers} = {writer} AND id / {Writers} % 50 = {round % 50}";

    private static async Task EndAsync(Task[] writers, CancellationTokenSource stop)
    {
        await stop.CancelAsync();
        foreach (var writer in writers)
        {
            await writer.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Writes until cancelled, or until the server is gone; then it knocks again and again where it may.</summary>
    private static async Task WriteAsync(string connectionString, int writer, Func<bool> comesBack, CancellationToken cancellation)
    {
        for (int round = 0; !cancellation.IsCancellationRequested;)
        {
            try
            {
                await using var connection = new NpgsqlConnection(connectionString);
                await connection.OpenAsync(cancellation);
                for (; ; round++)
                {
                    await using var command = new NpgsqlCommand(Update(writer, round), connection);
                    await command.ExecuteNonQueryAsync(cancellation);
                }
            }
            catch (NpgsqlException) when (comesBack())
            {
                await Task.Delay(20, cancellation);
            }
        }
    }
}
