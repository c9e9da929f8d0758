using System.Diagnostics;
using Redoubt.Compute.Configuration;
using Redoubt.Compute.Pages;
using Redoubt.Compute.Postgres;
using Redoubt.Compute.Shipping;
using Redoubt.Compute.Volume;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Runtime;

/// <summary>
/// One life of PostgreSQL on an opened volume: import when it is new, bootstrap, run, and end. Whatever happens, nothing that was not on a write quorum
/// is ever reported to PostgreSQL as flushed.
/// </summary>
internal sealed class PrimaryLife(
    ComputeOptions options,
    OsAccount account,
    OpenedVolume volume,
    IReadOnlyList<GrpcSegment> segments,
    AgentMetrics metrics,
    AgentStatus status,
    ServerSettings settings,
    StageClock clock,
    ILogger logger) : IAsyncDisposable
{
    private static readonly TimeSpan ReadyPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan PatienceWithoutQuorum = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan KeepDiscarded = TimeSpan.FromMinutes(10);

    private readonly ServerFiles _files = new(options, account);
    private readonly DataDirectory _directory = new(options.PgData, options.PgVersion, account);
    private readonly GroupRouter _router = new(options.Shape.Groups);
    private readonly TaskCompletionSource _fenced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<Exception> _broken = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _leaseLost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private VolumeWriter? _writer;
    private PageServer? _pages;
    private PageSource? _source;
    private PostgresServer? _server;
    private LogPage? _page;
    private LogFollower? _follower;
    private CatalogNames? _names;
    private Administration? _administration;

    /// <summary>When PostgreSQL became ready; 0 before.</summary>
    public long ReadyAt { get; private set; }

    /// <summary>Runs until PostgreSQL ends or <paramref name="stop"/> asks for the end.</summary>
    public async Task<LifeEnd> RunAsync(CancellationToken stop)
    {
        _writer = new VolumeWriter(
            volume, options.Shape, segments, (long)options.LogWindowMb << 20, options.ShipmentsInFlight, metrics.Commit, logger)
        {
            LeaseMs = options.LeaseMs,
            Fenced = OnFenced,
            Broken = e => _broken.TrySetResult(e),
            LeaseMoved = until => _page?.SetLease(until),
            LeaseLost = reason => _leaseLost.TrySetResult(reason),
        };
        status.Writer = _writer;
        try
        {
            _writer.Start();
            if (volume.IsNew)
            {
                await ImportAsync(stop).ConfigureAwait(false);
            }

            var (router, control, checkpoint) = await BootstrapAsync(stop).ConfigureAwait(false);
            await StartServerAsync(router, control, checkpoint, stop).ConfigureAwait(false);
            return await WatchAsync(stop).ConfigureAwait(false);
        }
        catch (FencedException)
        {
            return LifeEnd.Fenced;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return await StopAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_fenced.Task.IsCompleted)
        {
            return LifeEnd.Fenced;
        }
    }

    /// <summary>Takes changed parameters, pg_hba.conf and passwords.</summary>
    /// <returns>False when it must be tried again.</returns>
    public async Task<bool> ReloadAsync(CancellationToken cancellationToken) =>
        _server is null || ReadyAt == 0 || await _administration!.ReloadAsync(_server, cancellationToken).ConfigureAwait(false);

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            _server.Kill();
            await _server.Exited.ConfigureAwait(false);
        }

        if (_administration is not null)
        {
            await _administration.DisposeAsync().ConfigureAwait(false);
        }

        _follower?.Dispose();
        _pages?.Dispose();
        _source?.Dispose();
        status.Gate = null;
        if (_writer is not null)
        {
            status.Writer = null;
            status.EarlierLogBytes += _writer.Streams.Sum(g => g.Sum(s => s.BytesSent));
            await _writer.DisposeAsync().ConfigureAwait(false);
        }

        // Only now: until its threads had ended, the writer let flushes go on and kept the lease there.
        _page?.Dispose();
        _files.RemoveMemory();
        status.PostgresPid = 0;
        ProcessTree.KillByWorkingDirectory(options.PgData);
    }

    private void OnFenced(FencedException e)
    {
        // First, so that nobody takes the death of postgres for the reason.
        _fenced.TrySetResult();
        _server?.Kill();
        logger.Fenced(e.Message);
    }

    private async Task ImportAsync(CancellationToken stop)
    {
        status.Set("importing", "making a fresh cluster with initdb");
        logger.Importing();
        string data = await new InitDb(options, account).RunAsync(stop).ConfigureAwait(false);
        await settings.SettleNewAsync(await File.ReadAllBytesAsync(Path.Combine(data, "global/pg_control"), stop).ConfigureAwait(false), stop).ConfigureAwait(false);
        clock.End("initdb");
        status.Set("importing", "shipping the fresh cluster to storage");
        await new Importer(_writer!, options.PgVersion, _router).ImportAsync(data, stop).ConfigureAwait(false);
        _directory.Discard(Path.GetDirectoryName(data)!);
        clock.End("import");
    }

    private async Task<(RecordRouter Router, ControlState Control, ShutdownCheckpoint Checkpoint)> BootstrapAsync(CancellationToken stop)
    {
        status.Set("recovering", "building the data directory");
        _files.Prepare();
        _source = new PageSource(new ReadTargets(_writer!), options.PageTimeoutMs, metrics.Pages);
        var fetcher = new PageFetcher(
            _source,
            new FreeSpaceSource(new SegmentReads(new ReadTargets(_writer!), options.PageTimeoutMs, metrics.Pages), options.Shape.Groups),
            new PageCache((int)((long)options.CacheSizeMb << 20 >> 13)),
            _router,
            metrics.Pages);
        _writer!.FixReadFloor();
        var reader = new BootstrapReader(_writer!, fetcher, logger);
        var reading = reader.ReadAsync(stop);
        _directory.Recreate();
        var data = await reading.ConfigureAwait(false);
        clock.End("read");
        var initForks = await Task.Run(() => reader.ReadInitForks(data), stop).ConfigureAwait(false);
        _directory.Write(data, initForks, logger.Warn);

        var control = ControlState.Decode(data.Control.Span);
        var end = volume.End;
        if (!volume.IsNew)
        {
            if (options.Shape.Groups > 1)
            {
                control.MoveTo(new Lsn(end.Vdl), new Lsn(end.LastStart));
            }
            else if (control.Lsn.Value != end.Vdl)
            {
                throw new InvalidOperationException($"storage's counters are of {control.Lsn}, but the log ends at {new Lsn(end.Vdl)}");
            }
        }

        var checkpoint = control.MakeShutdownCheckpoint(options.PgVersion, DateTimeOffset.UtcNow);
        _directory.WriteControl(control, checkpoint);
        await settings.SettleAsync(control.MakeControlFile(options.PgVersion, checkpoint), stop).ConfigureAwait(false);
        _names = new CatalogNames(options.PgData, fetcher);

        var router = new RecordRouter(options.PgVersion, _router, control);
        Ship(router, checkpoint);
        _pages = new PageServer(_files.PageSocket, account, fetcher, metrics.Pages, logger);
        logger.Bootstrapped(data.Forks.Count, checkpoint.Start, clock.End("bootstrap"));
        _ = DeleteDiscardedAsync(stop);
        return (router, control, checkpoint);
    }

    private async Task DeleteDiscardedAsync(CancellationToken stop)
    {
        await Task.Run(() => _directory.DeleteDiscarded(KeepDiscarded), CancellationToken.None).ConfigureAwait(false);
        await Task.Delay(KeepDiscarded, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!stop.IsCancellationRequested)
        {
            await Task.Run(() => _directory.DeleteDiscarded(KeepDiscarded), CancellationToken.None).ConfigureAwait(false);
        }
    }

    private void Ship(RecordRouter router, in ShutdownCheckpoint checkpoint)
    {
        var record = new WalRecord(checkpoint.Start, checkpoint.End, checkpoint.Record);
        _writer!.Add(LogEntryKind.WalRecord, record.Start, record.End, router.GroupsOf(record) | 1, record.Bytes, Stopwatch.GetTimestamp());
        _writer.Ship();
    }

    private async Task StartServerAsync(RecordRouter router, ControlState control, ShutdownCheckpoint checkpoint, CancellationToken stop)
    {
        status.Set("recovering", "starting postgres");
        _page = new LogPage(_files.LogPage);
        _page.SetLease(Math.Max(1, _writer!.LeaseUntilMs));
        var gate = new FlushGate(_page, metrics.Commit);
        status.Gate = gate;
        _follower = new LogFollower(
            _page,
            new LogFiles(Path.Combine(options.PgData, "pg_wal"), control.Timeline),
            _writer!,
            router,
            gate,
            new WalStreamReader(options.PgVersion, checkpoint.End, checkpoint.Start) { PartLength = LogFollower.PartLength });
        _follower.Start();
        _administration = new Administration(
            new Accounts(options), new AgentLogin(_files, options.Port, _names!), _files, _directory, settings, status, logger);
        _files.WriteConfiguration(_directory, settings, isOpen: !_administration.ComesFirst);
        if (!await LaunchAsync(stop).ConfigureAwait(false))
        {
            return; // the watch sees it
        }

        clock.End("postgres");
        await _writer!.WhenDurableAsync(checkpoint.End).WaitAsync(stop).ConfigureAwait(false);
        clock.End("quorum");
        if (_administration.ComesFirst)
        {
            var letIn = LetInAsync(stop);
            if (await Task.WhenAny(letIn, _follower.Ended, _broken.Task, _leaseLost.Task).ConfigureAwait(false) != letIn)
            {
                return; // no commit returns any more; the watch sees it
            }

            await letIn.ConfigureAwait(false);
            clock.End("accounts");
        }

        if (!_server!.Exited.IsCompleted)
        {
            settings.Proven();
            _server.Output.IsServing = true;
            ReadyAt = Environment.TickCount64;
            status.StartedMs = new Dictionary<string, long>(clock.Stages) { ["total"] = clock.TotalMs };
            status.Set("ready");
            logger.Ready(_server.Pid, options.Port, volume.Epoch, clock.TotalMs, clock.ToString());
        }
    }

    /// <summary>Starts PostgreSQL and waits until it accepts connections; false when it ends instead.</summary>
    private async Task<bool> LaunchAsync(CancellationToken stop)
    {
        _server = await PostgresServer.StartAsync(options, account, _files.Environment).ConfigureAwait(false);
        status.PostgresPid = _server.Pid;
        if (_fenced.Task.IsCompleted)
        {
            _server.Kill();
        }

        while (!_files.SaysReady)
        {
            stop.ThrowIfCancellationRequested();
            if (_server.Exited.IsCompleted || _follower!.Ended.IsCompleted)
            {
                return false;
            }

            await Task.WhenAny(_server.Exited, Task.Delay(ReadyPause, stop)).ConfigureAwait(false);
        }

        return true;
    }

    /// <summary>Passwords first, then everybody. When no superuser may log in, PostgreSQL is stopped once more to mend that.</summary>
    private async Task LetInAsync(CancellationToken stop)
    {
        try
        {
            await _administration!.EnterAsync(_server!, stop).ConfigureAwait(false);
        }
        catch (LockedOutException e)
        {
            logger.LockedOut(e.Message);
            status.Set("recovering", e.Message);
            _server!.StopFast();
            await _server.Exited.WaitAsync(stop).ConfigureAwait(false);
            try
            {
                await new LoginRepair(new SingleUser(new ServerProgram(options, account)), options.PgData, _files.Environment, _names!).RunAsync(stop).ConfigureAwait(false);
            }
            catch (PostgresException failed)
            {
                logger.AdministrationFailed(failed.Message); // told in the status too, by what is tried next
            }

            if (!await LaunchAsync(stop).ConfigureAwait(false))
            {
                return;
            }
        }

        await _administration!.LetInAsync(_server!, stop).ConfigureAwait(false);
    }

    private async Task<LifeEnd> WatchAsync(CancellationToken stop)
    {
        var stopping = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = stop.Register(() => stopping.TrySetResult());
        var logEnded = _follower!.Ended;
        await Task.WhenAny(_server!.Exited, logEnded, _fenced.Task, stopping.Task, _broken.Task, _leaseLost.Task).ConfigureAwait(false);
        if (_fenced.Task.IsCompleted || (logEnded.IsCompleted && (await logEnded.ConfigureAwait(false)).End == LogEnd.Fenced))
        {
            return LifeEnd.Fenced;
        }

        if (stop.IsCancellationRequested)
        {
            return await StopAsync().ConfigureAwait(false);
        }

        if (_leaseLost.Task.IsCompleted)
        {
            _server.Kill();
            string reason = await _leaseLost.Task.ConfigureAwait(false);
            logger.Isolated(reason);
            status.Set("isolated", reason);
            return LifeEnd.Isolated;
        }

        var error = _broken.Task.IsCompleted ? await _broken.Task.ConfigureAwait(false) : logEnded.IsCompleted ? (await logEnded.ConfigureAwait(false)).Error : null;
        if (error is not null)
        {
            _server.Kill();
            logger.LogBroken(error.Message);
            status.Set("failed", error.Message);
            return LifeEnd.Broken;
        }

        bool byItself = _server.Exited.IsCompleted;
        _server.Kill();
        int exitStatus = await _server.Exited.ConfigureAwait(false);
        status.LastWords = $"postgres ended with status {exitStatus}{(_server.Output.Reason is { } words ? $" ({words})" : "")}";
        if (byItself && ReadyAt == 0)
        {
            settings.Died();
        }

        return LifeEnd.Died;
    }

    private async Task<LifeEnd> StopAsync()
    {
        if (_server is null)
        {
            return LifeEnd.Stopped;
        }

        status.Set("stopping");
        logger.Stopping();
        _server.StopFast();
        long began = Stopwatch.GetTimestamp(), quorumAt = began;
        while (!_server.Exited.IsCompleted && !_fenced.Task.IsCompleted && Stopwatch.GetElapsedTime(began).TotalMilliseconds < options.StopTimeoutMs)
        {
            await Task.WhenAny(_server.Exited, _fenced.Task, Task.Delay(100, CancellationToken.None)).ConfigureAwait(false);
            quorumAt = _writer!.HasWriteQuorum ? Stopwatch.GetTimestamp() : quorumAt;
            if (Stopwatch.GetElapsedTime(quorumAt) > PatienceWithoutQuorum)
            {
                logger.StoppedWithoutQuorum(status.Gate?.Waiting.Commits ?? 0);
                return LifeEnd.Stopped;
            }
        }

        if (_fenced.Task.IsCompleted)
        {
            return LifeEnd.Fenced;
        }

        if (!_server.Exited.IsCompleted)
        {
            logger.StopTimedOut(options.StopTimeoutMs);
        }

        logger.Stopped(new Lsn(_writer!.Vdl));
        return LifeEnd.Stopped;
    }
}
