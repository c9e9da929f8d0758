using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Redoubt.Wal;

namespace Redoubt.Verify.Bench;

/// <summary>
/// Measures redo beside PostgreSQL's own recovery: one log, made by a stock server; cut and split here on one core, redone here on all
/// cores, and replayed by a stock server from the same start on the same machine.
/// </summary>
public static partial class RedoBench
{
    /// <summary>Makes the log, and measures.</summary>
    /// <param name="version">Major version.</param>
    /// <param name="binFolder">Folder with <c>postgres</c> and <c>initdb</c>.</param>
    /// <param name="rounds">Size of the log: about 0.35 MiB each, and 100 MiB to begin with.</param>
    /// <param name="progress">Receives one line per step.</param>
    /// <param name="cancel">Stops between steps.</param>
    /// <exception cref="StockPostgresException">A server could not be run.</exception>
    public static async Task<RedoBenchResult> RunAsync(
        PgVersion version, string binFolder, int rounds, Action<string>? progress, CancellationToken cancel)
    {
        string scratch = ScratchFolder.Create("redoubt-bench-");
        try
        {
            var primary = new StockPostgres(version, binFolder, Path.Combine(scratch, "p"));
            var standby = new StockPostgres(version, binFolder, Path.Combine(scratch, "s"));
            await using (primary.ConfigureAwait(false))
            await using (standby.ConfigureAwait(false))
            {
                progress?.Invoke("making a log");
                await primary.InitDbAsync(checksums: false, cancel).ConfigureAwait(false);
                standby.CopyDataFrom(primary.DataFolder);
                var start = File.ReadAllBytes(Path.Combine(primary.DataFolder, "global", "pg_control"));
                var settings = Settings();
                await primary.StartAsync(settings, cancel).ConfigureAwait(false);
                await RunWorkloadAsync(primary, rounds, cancel).ConfigureAwait(false);
                await primary.StopAsync(fast: true, cancel).ConfigureAwait(false);
                var end = VerifyRedo.ReadControl(primary);
                var log = new BenchLog(version, start, primary.DataFolder, end.Lsn);

                progress?.Invoke($"reading {log.Bytes >> 20:N0} MiB of log");
                var result = new RedoBenchResult { Bytes = log.Bytes };
                log.MeasureRead(result);
                progress?.Invoke("splitting it");
                log.MeasureSplit(result);
                progress?.Invoke("redoing it");
                log.MeasureApply(result, standby.DataFolder, scratch, Environment.ProcessorCount);

                progress?.Invoke("PostgreSQL replays it");
                await StandbyPass.ReplayAsync(primary, standby, settings, end.LastRecordStart, cancel).ConfigureAwait(false);
                result.PostgresSeconds = RedoSeconds(await File.ReadAllTextAsync(standby.LogFile, cancel).ConfigureAwait(false));
                return result;
            }
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    private static Dictionary<string, string> Settings()
    {
        var settings = VerifyRedo.Base("off");
        settings["log_min_messages"] = "log";
        settings["track_commit_timestamp"] = "off";
        settings["wal_level"] = "replica";
        settings["max_wal_size"] = "100GB";
        settings["checkpoint_timeout"] = "1d";
        settings["autovacuum"] = "off";
        settings["wal_keep_size"] = "100GB";
        settings["log_timezone"] = "UTC";
        return settings;
    }

    private static async Task RunWorkloadAsync(StockPostgres server, int rounds, CancellationToken cancel)
    {
        string path = Path.Combine(server.MakeFolder("workloads"), "bench.sql");
        var resource = Assembly.GetExecutingAssembly().GetManifestResourceStream("bench.sql")!;
        await using (resource.ConfigureAwait(false))
        {
            var file = File.Create(path);
            await using (file.ConfigureAwait(false))
            {
                await resource.CopyToAsync(file, cancel).ConfigureAwait(false);
            }
        }

        var variables = new Dictionary<string, string> { ["rounds"] = rounds.ToString(CultureInfo.InvariantCulture) };
        var (status, output) = await server.PsqlAsync("postgres", path, variables, stopOnError: true, cancel).ConfigureAwait(false);
        if (status != 0)
        {
            throw new StockPostgresException($"The benchmark's workload failed: {output.Trim().Split('\n')[^1]}");
        }
    }

    /// <summary>From "redo starts" to the stop at the target. (A server that stops at a target does not print "redo done".)</summary>
    private static double RedoSeconds(string log)
    {
        var started = RedoStarts().Match(log);
        var stopped = RecoveryStops().Match(log);
        if (!started.Success || !stopped.Success)
        {
            throw new StockPostgresException($"The stock server did not finish its recovery: {log.TrimEnd().Split('\n')[^1]}");
        }

        return (Time(stopped) - Time(started)).TotalSeconds;
    }

    private static DateTime Time(Match line) => DateTime.ParseExact(line.Groups[1].ValueSpan, "yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(\S+ \S+) UTC .*redo starts at", RegexOptions.Multiline)]
    private static partial Regex RedoStarts();

    [GeneratedRegex(@"^(\S+ \S+) UTC .*recovery stopping after", RegexOptions.Multiline)]
    private static partial Regex RecoveryStops();
}
