using System.Diagnostics;
using Npgsql;
using Redoubt.Cli.Bench.Usage;

namespace Redoubt.Cli.Bench;

/// <summary>
/// COPY of much data and CREATE INDEX on it, beside a stock primary with as many durable copies: speed, Redoubt's memory, and what a session waits that
/// reads another table meanwhile. The comparator runs first and is gone when Redoubt starts. Both servers are started again before the load, so that
/// the reads find nothing in shared buffers: Redoubt has those pages in storage only.
/// </summary>
internal static class LoadBench
{
    private sealed record Step(double Seconds, double LogMiB, IReadOnlyDictionary<string, RoleUsage> Roles, LatencyFigures Reads)
    {
        public double? Cpu(params ReadOnlySpan<string> roles) => RoleParts.Sum(Roles, r => r.CpuSeconds, roles);
    }

    public static async Task<BenchReport> RunAsync(BenchOptions options, CancellationToken cancellation)
    {
        int mib = options.MiB[0];
        Step[] theirs, ours;
        options.Say($"starting a stock PostgreSQL {options.Postgres}");
        await using (var stock = await StockCluster.StartAsync(options, cancellation))
        {
            await ReadProber.PrepareAsync(stock.ConnectionString, cancellation);
            await stock.AddStandbysAsync(options, cancellation);
            theirs = await MeasureAsync(stock, mib, options.Say, cancellation);
        }

        options.Say("starting Redoubt");
        await using var redoubt = await BenchCluster.StartAsync(options, cancellation);
        await ReadProber.PrepareAsync(redoubt.ConnectionString, cancellation);
        await redoubt.RestartComputeAsync(cancellation);
        ours = await MeasureAsync(redoubt, mib, options.Say, cancellation);

        var report = new BenchReport("load");
        string[] names = [$"COPY of {mib} MiB", "CREATE INDEX"];
        for (int i = 0; i < names.Length; i++)
        {
            report.Add(names[i], "MB/s", Megabytes(mib) / ours[i].Seconds, Megabytes(mib) / theirs[i].Seconds, options.Peer);
            report.AddPart(names[i], "time", "s", ours[i].Seconds, theirs[i].Seconds);
            report.AddPart(names[i], "log written", "MiB", ours[i].LogMiB, theirs[i].LogMiB);
            Step our = ours[i], their = theirs[i];
            RoleParts.Add(report, names[i], "processor", "s", roles => our.Cpu(roles), roles => their.Cpu(roles));
            report.AddPart(names[i], "reads of another session", "", ours[i].Reads.Count, theirs[i].Reads.Count);
            report.AddPart(names[i], "a read of another session, median", "ms", ours[i].Reads.MedianMs, theirs[i].Reads.MedianMs);
            report.AddPart(names[i], "a read of another session, p99", "ms", ours[i].Reads.P99Ms, theirs[i].Reads.P99Ms);
        }

        report.Add("longest read of another session", "ms", ours.Max(s => s.Reads.LongestMs), theirs.Max(s => s.Reads.LongestMs), options.Peer);
        var (agent, storage) = await redoubt.MemoryAsync("VmHWM");
        report.Add("most memory the agent had", "MiB", agent);
        report.Add("most memory a storage process had", "MiB", storage);
        report.Notes.Add("MB/s are of the data that COPY got, 10^6 bytes, for CREATE INDEX too; COPY ends with its commit. Memory is resident (VmHWM), since the process started.");
        return report;
    }

    private static async Task<Step[]> MeasureAsync(IBenchSide side, int mib, Action<string> say, CancellationToken cancellation)
    {
        await BenchSql.ExecuteAsync(side.ConnectionString, CopyRows.Table, cancellation);
        await using var prober = await ReadProber.StartAsync(side.ConnectionString, cancellation);
        await using var connection = new NpgsqlConnection(side.ConnectionString);
        await connection.OpenAsync(cancellation);
        var copy = await StepAsync(side, prober, () => CopyAsync(connection, (long)mib << 20, cancellation), cancellation);
        say($"COPY {copy.Seconds:0.0} s, {Megabytes(mib) / copy.Seconds:0} MB/s, longest read {copy.Reads.LongestMs:0} ms");
        var index = await StepAsync(side, prober, () => IndexAsync(connection, cancellation), cancellation);
        say($"CREATE INDEX {index.Seconds:0.0} s, longest read {index.Reads.LongestMs:0} ms");
        return [copy, index];
    }

    private static async Task<Step> StepAsync(IBenchSide side, ReadProber prober, Func<Task> work, CancellationToken cancellation)
    {
        var processes = await side.ProcessesAsync();
        long log = await BenchSql.LogEndAsync(side.ConnectionString, cancellation);
        var before = UsageSnapshot.Take(processes, new HashSet<int>());
        _ = prober.Take();
        long begin = Stopwatch.GetTimestamp();
        await work();
        double seconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        var reads = prober.Take();
        var used = UsageSnapshot.Between(before, UsageSnapshot.Take(processes, new HashSet<int>()));
        double written = await BenchSql.LogEndAsync(side.ConnectionString, cancellation) - log;
        return new Step(seconds, written / (1 << 20), used, reads);
    }

    private static async Task CopyAsync(NpgsqlConnection connection, long bytes, CancellationToken cancellation)
    {
        var rows = new CopyRows();
        await using var copy = await connection.BeginRawBinaryCopyAsync(CopyRows.Copy, cancellation);
        await copy.WriteAsync(CopyRows.Header, cancellation);
        for (long sent = 0; sent < bytes;)
        {
            var next = rows.Next();
            await copy.WriteAsync(next, cancellation);
            sent += next.Length;
        }

        await copy.WriteAsync(CopyRows.Trailer, cancellation);
    }

    private static async Task IndexAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(CopyRows.Index, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellation);
    }

    private static double Megabytes(int mib) => mib * 1.048576;
}
