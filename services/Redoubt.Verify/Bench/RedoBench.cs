using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Redoubt.Verify.Pages;
using Redoubt.Wal;

namespace Redoubt.Verify.Bench;

/// <summary>
/// Measures redo beside PostgreSQL's own recovery: one log, made by a stock server; cut and split here on one core, redone here on all
/// cores, and replayed by a stock server from the same start on the same machine.
/// </summary>
public static partial class RedoBench
{
    private static readonly TimeSpan RecoveryDeadline = TimeSpan.FromMinutes(15);

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
                await RecoverAsync(primary, standby, settings, result, cancel).ConfigureAwait(false);
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
        var script = new PsqlScript(path) { Variables = variables, StopOnError = true };
        var (status, errors) = await server.PsqlAsync("postgres", script, cancel).ConfigureAwait(false);
        if (status != 0)
        {
            throw new StockPostgresException($"The benchmark's workload failed: {errors.Trim().Split('\n')[^1]}");
        }
    }

    /// <summary>Gives a server the log as if it had crashed at its end, and reads what it says about its recovery.</summary>
    private static async Task RecoverAsync(
        StockPostgres primary, StockPostgres crashed, Dictionary<string, string> settings, RedoBenchResult result, CancellationToken cancel)
    {
        string wal = Path.Combine(crashed.DataFolder, "pg_wal");
        Directory.Delete(wal, recursive: true);
        DataFolders.Copy(Path.Combine(primary.DataFolder, "pg_wal"), wal);
        string path = Path.Combine(crashed.DataFolder, "global", "pg_control");
        byte[] control = await File.ReadAllBytesAsync(path, cancel).ConfigureAwait(false);
        ControlFile.SetState(control, ControlFile.InProduction);
        await File.WriteAllBytesAsync(path, control, cancel).ConfigureAwait(false);
        crashed.OwnData();
        await crashed.StartAsync(settings, cancel, waitForConnections: false).ConfigureAwait(false);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(RecoveryDeadline);
        Match done;
        while (!(done = RedoDone().Match(await File.ReadAllTextAsync(crashed.LogFile, deadline.Token).ConfigureAwait(false))).Success)
        {
            if (crashed.ProcessId == 0)
            {
                throw new StockPostgresException($"The stock server did not finish its recovery; see {crashed.LogFile}.");
            }

            await Task.Delay(50, deadline.Token).ConfigureAwait(false);
        }

        result.PostgresSeconds = Seconds(done, 3);
        result.PostgresCpuSeconds = Seconds(done, 1) + Seconds(done, 2);
        await crashed.StopAsync(fast: false, cancel).ConfigureAwait(false);
    }

    private static double Seconds(Match match, int group) => double.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"redo done at \S+ system usage: CPU: user: ([0-9.]+) s, system: ([0-9.]+) s, elapsed: ([0-9.]+) s")]
    private static partial Regex RedoDone();
}
