using Redoubt.Verify.Workloads;
using Redoubt.Wal;

namespace Redoubt.Verify;

/// <summary>
/// Proves redo against PostgreSQL: stock servers run workloads while their log is redone here, and every page is compared with
/// PostgreSQL's own image of it, then with the server's files, then with those of a stock standby.
/// </summary>
public static class VerifyRedo
{
    /// <summary>Runs all passes.</summary>
    /// <exception cref="StockPostgresException">A server could not be run.</exception>
    /// <exception cref="WalFormatException">The log itself cannot be read.</exception>
    public static async Task<VerifyRedoResult> RunAsync(VerifyRedoOptions options, CancellationToken cancel)
    {
        var result = new VerifyRedoResult(options.Version);
        string scratch = options.ScratchFolder ?? ScratchFolder.Create("redoubt-verify-");
        try
        {
            if (options.Passes.HasFlag(VerifyPasses.Images))
            {
                // Images cover pages of relations only: the SLRUs get their volume in the pass with the standby.
                var scale = options.Scale with { Xids = Math.Min(options.Scale.Xids, 50_000), MultiXacts = Math.Min(options.Scale.MultiXacts, 3000) };
                await PassAsync(options, result, Path.Combine(scratch, "images"), "images", Images, checksums: false, scale, cancel)
                    .ConfigureAwait(false);
            }

            if (options.Passes.HasFlag(VerifyPasses.FullPageWrites))
            {
                var scale = options.Scale with { Rows = 2000, Xids = 1000, MultiXacts = 100, SessionSteps = 50, Compression = "pglz" };
                await PassAsync(options, result, Path.Combine(scratch, "fpw"), "full-page writes", FullPageWrites, checksums: true, scale, cancel)
                    .ConfigureAwait(false);
            }

            if (options.Passes.HasFlag(VerifyPasses.Standby))
            {
                await StandbyPass.RunAsync(options, result, Path.Combine(scratch, "standby"), Base("off"), cancel).ConfigureAwait(false);
            }

            return result;
        }
        finally
        {
            if (options.ScratchFolder is null)
            {
                Directory.Delete(scratch, recursive: true);
            }
        }
    }

    /// <summary>The settings of all passes.</summary>
    internal static Dictionary<string, string> Base(string fullPageWrites) => new()
    {
        ["fsync"] = "off",
        ["full_page_writes"] = fullPageWrites,
        ["wal_level"] = "logical",
        ["track_commit_timestamp"] = "on",
        ["max_prepared_transactions"] = "50",
        ["shared_buffers"] = "256MB",
        ["max_wal_size"] = "1GB",
        ["max_slot_wal_keep_size"] = "-1",
        ["wal_keep_size"] = "1GB",
        ["log_min_messages"] = "fatal",
        ["maintenance_work_mem"] = "64MB",
    };

    private static Dictionary<string, string> Images => BuiltInWorkload.With(Base("off"), "wal_consistency_checking", "all");

    private static Dictionary<string, string> FullPageWrites => BuiltInWorkload.With(
        BuiltInWorkload.With(Base("on"), "wal_consistency_checking", "all"), "wal_log_hints", "on");

    private static async Task PassAsync(
        VerifyRedoOptions options, VerifyRedoResult result, string folder, string name, Dictionary<string, string> settings, bool checksums,
        WorkloadScale scale, CancellationToken cancel)
    {
        void Progress(string step) => options.Progress?.Invoke($"{name}: {step}");

        Progress("initdb");
        var server = new StockPostgres(options.Version, options.BinFolder, folder);
        await using (server.ConfigureAwait(false))
        {
            await server.InitDbAsync(checksums, cancel).ConfigureAwait(false);
            var control = ReadControl(server);
            using var cluster = new ClusterState(server.DataFolder, folder);
            var oracle = new RedoOracle(options.Version, cluster, control, options.Apply)
            {
                Forgets = options.Forgets,
                OnMismatch = mismatch => Report(options, result, mismatch),
                OnRefused = refusal => Say(options, result, refusal.Message),
            };
            using var follower = new WalFollower(server, control, oracle.Apply);
            var kinds = await RunWorkloadsAsync(options, server, settings, scale, follower, Progress, cancel).ConfigureAwait(false);
            follower.ReadTo(ReadControl(server).Lsn);

            Progress("final state");
            var comparison = ClusterComparison.WithPrimary(cluster, server.DataFolder, kinds);
            foreach (string message in comparison.Messages)
            {
                Say(options, result, $"{name}, final state: {message}");
            }

            oracle.Counts.Mismatches += comparison.Differences;
            result.FinalPages += comparison.Pages;
            result.WalBytes += follower.Bytes;
            result.Counts.Add(oracle.Counts);
            Progress($"{oracle.Counts.BlockChanges:N0} block changes, {oracle.Counts.PagesCompared:N0} pages compared, {oracle.Counts.Mismatches:N0} mismatches, {follower.Bytes >> 20:N0} MiB of log");
        }

        OutsideTablespaces.Empty(server.DataFolder);
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>Starts the server, runs the workloads while the follower reads, and stops the server. Returns what the relations are.</summary>
    internal static async Task<RelationKinds> RunWorkloadsAsync(
        VerifyRedoOptions options, StockPostgres server, Dictionary<string, string> settings, WorkloadScale scale, WalFollower follower,
        Action<string> progress, CancellationToken cancel)
    {
        await server.StartAsync(settings, cancel).ConfigureAwait(false);
        await follower.PrepareAsync(cancel).ConfigureAwait(false);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var following = Task.Run(() => follower.FollowAsync(stop.Token), CancellationToken.None);
        try
        {
            var work = WorkAsync(options, server, settings, scale, progress, stop.Token);
            if (await Task.WhenAny(work, following).ConfigureAwait(false) == following)
            {
                // The reader failed: its error is the one to report, not the one that stopping the workload brings about.
                await stop.CancelAsync().ConfigureAwait(false);
                await following.ConfigureAwait(false);
            }

            await work.ConfigureAwait(false);
            var kinds = await RelationKinds.ReadAsync(server, cancel).ConfigureAwait(false);
            await server.StopAsync(fast: true, cancel).ConfigureAwait(false);
            return kinds;
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await following.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary><c>pg_control</c> of a stopped server.</summary>
    internal static ControlState ReadControl(StockPostgres server) =>
        ControlState.FromControlFile(server.Version, File.ReadAllBytes(Path.Combine(server.DataFolder, "global", "pg_control")));

    internal static void Say(VerifyRedoOptions options, VerifyRedoResult result, string message)
    {
        if (result.Messages.Count < options.MaxMessages)
        {
            result.Messages.Add(message);
        }
    }

    private static async Task WorkAsync(
        VerifyRedoOptions options, StockPostgres server, Dictionary<string, string> settings, WorkloadScale scale, Action<string> progress,
        CancellationToken cancel)
    {
        if (options.Workloads.Count == 0)
        {
            await BuiltInWorkload.RunAsync(server, settings, scale, progress, cancel).ConfigureAwait(false);
        }
        else
        {
            await UserWorkload.RunAsync(server, options.Workloads, progress, cancel).ConfigureAwait(false);
        }
    }

    private static void Report(VerifyRedoOptions options, VerifyRedoResult result, in RedoMismatch mismatch)
    {
        if (result.Messages.Count < options.MaxMessages && options.DumpFolder is { } folder)
        {
            mismatch.Dump(folder);
        }

        Say(options, result, mismatch.ToString());
    }
}
