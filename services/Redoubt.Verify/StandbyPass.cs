using System.Diagnostics;
using Redoubt.Verify.Workloads;
using Redoubt.Wal;

namespace Redoubt.Verify;

/// <summary>
/// The pass of <see cref="VerifyRedo"/> without images: a primary runs the workloads, a stock standby replays the whole log from the same
/// start and stops itself at the primary's shutdown checkpoint, and what redo made here is compared with the standby's files.
/// </summary>
internal static class StandbyPass
{
    private static readonly TimeSpan MinReplayTime = TimeSpan.FromMinutes(15);

    public static async Task RunAsync(
        VerifyRedoOptions options, VerifyRedoResult result, string folder, Dictionary<string, string> settings, CancellationToken cancel)
    {
        void Progress(string step) => options.Progress?.Invoke($"standby: {step}");

        Progress("initdb");
        var primary = new StockPostgres(options.Version, options.BinFolder, Path.Combine(folder, "p"));
        var standby = new StockPostgres(options.Version, options.BinFolder, Path.Combine(folder, "s"));
        await using (primary.ConfigureAwait(false))
        await using (standby.ConfigureAwait(false))
        {
            await primary.InitDbAsync(checksums: false, cancel).ConfigureAwait(false);
            if (options.Workloads.Count == 0)
            {
                MultiXactWrap.Prepare(options.Version, primary.DataFolder, (uint)options.Scale.MultiXacts);
                primary.OwnData();
            }

            standby.CopyDataFrom(primary.DataFolder);
            var control = VerifyRedo.ReadControl(primary);
            uint firstMember = control.NextMultiXactOffset;
            using var cluster = new ClusterState(primary.DataFolder, folder);
            var oracle = new RedoOracle(options.Version, cluster, control, options.Apply)
            {
                Forgets = options.Forgets,
                OnRefused = refusal => VerifyRedo.Say(options, result, refusal.Message),
            };
            using var follower = new WalFollower(primary, control, oracle.Apply) { KeepLog = true };
            // The slot may be dropped by a workload; the standby needs the log from its start.
            var keepAll = BuiltInWorkload.With(settings, "wal_keep_size", "1TB");
            var scale = options.Scale with { Rows = Math.Min(options.Scale.Rows, 20_000) };
            long started = Stopwatch.GetTimestamp();
            var kinds = await VerifyRedo.RunWorkloadsAsync(options, primary, keepAll, scale, follower, Progress, cancel).ConfigureAwait(false);
            var worked = Stopwatch.GetElapsedTime(started);
            var end = VerifyRedo.ReadControl(primary);
            follower.ReadTo(end.Lsn);
            if (options.Workloads.Count == 0 && end.NextMultiXactOffset >= firstMember)
            {
                throw new StockPostgresException($"The built-in workload did not wrap around the range of multixact members: from {firstMember} to {end.NextMultiXactOffset}.");
            }

            Progress("replay by a stock standby");
            await ReplayAsync(primary, standby, settings, end.LastRecordStart, MinReplayTime + worked, cancel).ConfigureAwait(false);

            Progress("compare");
            var pages = ClusterComparison.WithStandby(cluster, standby.DataFolder, kinds);
            var files = StandbyComparison.Run(cluster, oracle.Control, standby.DataFolder, options.Version);
            foreach (string message in files.Messages.Concat(pages.Messages))
            {
                VerifyRedo.Say(options, result, $"standby: {message}");
            }

            oracle.Counts.Mismatches += pages.Differences + files.Messages.Count;
            result.FinalPages += pages.Pages;
            result.FilesCompared += files.Files;
            result.WalBytes += follower.Bytes;
            result.Counts.Add(oracle.Counts);
            Progress($"{oracle.Counts.BlockChanges:N0} block changes, {pages.Pages:N0} pages and {files.Files:N0} other files compared, {oracle.Counts.Mismatches:N0} differences, {follower.Bytes >> 20:N0} MiB of log");
        }

        OutsideTablespaces.Empty(standby.DataFolder);
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>Lets the standby replay the stopped primary's log up to and with its last record, and stop by itself.</summary>
    private static async Task ReplayAsync(
        StockPostgres primary, StockPostgres standby, Dictionary<string, string> settings, Lsn lastRecord, TimeSpan allowed, CancellationToken cancel)
    {
        OutsideTablespaces.Empty(primary.DataFolder);
        string wal = Path.Combine(standby.DataFolder, "pg_wal");
        Directory.Delete(wal, recursive: true);
        DataFolders.Copy(Path.Combine(primary.DataFolder, "pg_wal"), wal);
        await File.WriteAllTextAsync(Path.Combine(standby.DataFolder, "recovery.signal"), "", cancel).ConfigureAwait(false);
        standby.OwnData();

        // No sessions: their hint bits would be on the pages. Shutdown at the target writes a restart point with every page.
        var recovery = new Dictionary<string, string>(settings)
        {
            ["log_min_messages"] = "log",
            ["hot_standby"] = "off",
            ["restore_command"] = "false",
            ["recovery_target_lsn"] = lastRecord.ToString(),
            ["recovery_target_inclusive"] = "on",
            ["recovery_target_action"] = "shutdown",
            ["recovery_target_timeline"] = "current",
        };
        await standby.StartAsync(recovery, cancel, waitForConnections: false).ConfigureAwait(false);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(allowed);
        try
        {
            await standby.WaitForExitAsync(deadline.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new StockPostgresException($"The stock standby did not replay the log within {allowed.TotalMinutes:N0} minutes.");
        }

        string log = await File.ReadAllTextAsync(standby.LogFile, cancel).ConfigureAwait(false);
        if (!log.Contains("recovery stopping after", StringComparison.Ordinal))
        {
            string reason = log.Split('\n').FirstOrDefault(line => line.Contains("FATAL", StringComparison.Ordinal) || line.Contains("PANIC", StringComparison.Ordinal)) ?? log.Trim();
            throw new StockPostgresException($"The stock standby could not replay the log: {reason}");
        }
    }
}
