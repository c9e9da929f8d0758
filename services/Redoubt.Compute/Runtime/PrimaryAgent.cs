using Redoubt.Compute.Configuration;
using Redoubt.Compute.Postgres;
using Redoubt.Compute.Volume;
using Redoubt.Wal;

namespace Redoubt.Compute.Runtime;

/// <summary>
/// The primary's agent: opens the volume, lives with PostgreSQL on it, and when PostgreSQL dies starts over at a new epoch. Ends on request, when
/// fenced, or when something is wrong that starting over cannot mend.
/// </summary>
public sealed class PrimaryAgent(ComputeOptions options, OsAccount account, AgentMetrics metrics, AgentStatus status, ILogger logger) : IVolumeOpenerEvents
{
    /// <summary>A life shorter than this counts as a quick death.</summary>
    private const int QuickDeathMs = 10_000;

    private readonly ServerSettings _settings = new(options, account, status, logger);
    private PrimaryLife? _life;
    private string _lastWait = string.Empty;

    /// <summary>Runs until the end; the result is the exit status (docs/processes.md).</summary>
    public async Task<int> RunAsync(CancellationToken stop)
    {
        KillLeftovers();
        var processes = options.Segments.Select((endpoint, copy) => new StorageProcess(endpoint, copy, options.Secret)).ToArray();
        try
        {
            return await LiveAsync(processes, stop).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return 0;
        }
        catch (Exception e) when (e is VolumeMismatchException or PostgresException or IOException or UnauthorizedAccessException or InvalidOperationException or WalFormatException)
        {
            status.Set("failed", e.Message);
            logger.Failed(e.Message);
            return 1;
        }
        catch (ConfigurationException e)
        {
            status.Set("failed", e.Message);
            logger.Failed(e.Message);
            return 2;
        }
        catch (FencedException e)
        {
            status.Set("fenced", e.Message);
            logger.Fenced(e.Message);
            return 3;
        }
        finally
        {
            foreach (var process in processes)
            {
                process.Dispose();
            }
        }
    }

    /// <summary>Takes changed parameters, pg_hba.conf and passwords.</summary>
    /// <returns>False when it must be tried again.</returns>
    public Task<bool> ReloadAsync(CancellationToken cancellationToken) => _life?.ReloadAsync(cancellationToken) ?? Task.FromResult(true);

    void IVolumeOpenerEvents.WaitingForQuorum(string missing)
    {
        status.Set("recovering", missing);
        if (missing != _lastWait)
        {
            _lastWait = missing;
            logger.WaitingForStorage(missing);
        }
    }

    void IVolumeOpenerEvents.NoAnswer(string detail) => logger.NoAnswer(detail);

    void IVolumeOpenerEvents.Raced(string detail) => logger.Raced(detail);

    void IVolumeOpenerEvents.Recovered(ulong epoch, Lsn vdl) => logger.Recovered(epoch, vdl);

    void IVolumeOpenerEvents.CatchingUp(string segment, int group, Lsn scl, Lsn target) => logger.CatchingUp(segment, group, scl, target);

    private async Task<int> LiveAsync(StorageProcess[] processes, CancellationToken stop)
    {
        int quickDeaths = 0;
        ulong mine = 0;
        while (true)
        {
            var clock = new StageClock();
            status.Set("recovering", status.State == "failed" ? status.Message : "opening the volume");
            logger.Opening(options.Volume, options.Shape.ToString(), (int)options.PgVersion);
            GrpcSegment[] segments =
            [
                .. from process in processes
                   from g in Enumerable.Range(0, options.Shape.Groups)
                   select new GrpcSegment(process, options.Volume, g, options.Shape, options.PgVersion, options.Name),
            ];
            var opener = new VolumeOpener(options.Shape, options.PgVersion, segments, this, TimeProvider.System);
            var volume = await opener.OpenAsync(mine, stop).ConfigureAwait(false);
            mine = opener.HighestAsked;
            clock.End("open");
            status.Epoch = volume.Epoch;
            metrics.Lives.Inc();

            LifeEnd end;
            long livedMs;
            await using (var life = _life = new PrimaryLife(options, account, volume, segments, metrics, status, _settings, clock, logger))
            {
                end = await life.RunAsync(stop).ConfigureAwait(false);
                livedMs = life.ReadyAt == 0 ? 0 : Environment.TickCount64 - life.ReadyAt;
                _life = null;
            }

            switch (end)
            {
                case LifeEnd.Stopped:
                    return 0;
                case LifeEnd.Fenced:
                    status.Set("fenced", $"a newer writer than epoch {volume.Epoch} has the volume");
                    return 3;
            }

            quickDeaths = livedMs >= QuickDeathMs ? 0 : quickDeaths + 1;
            long pause = end == LifeEnd.Broken ? 5_000 : quickDeaths <= 1 ? 0 : Math.Min(10_000, 250L << Math.Min(quickDeaths, 8));
            if (end == LifeEnd.Died)
            {
                status.Set("failed", $"{status.LastWords}; starting again from storage");
                logger.PostgresDied(status.LastWords, pause);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(pause), stop).ConfigureAwait(false);
        }
    }

    /// <summary>Ends a postgres that an earlier agent left on this data directory.</summary>
    private void KillLeftovers()
    {
        int killed = ProcessTree.KillByWorkingDirectory(options.PgData);
        string pidFile = Path.Combine(options.PgData, "postmaster.pid");
        if (File.Exists(pidFile))
        {
            // Line 7: System V shared memory key and id, which a killed postmaster leaves behind.
            string[] lines = File.ReadAllLines(pidFile);
            if (lines.Length > 6 && int.TryParse(lines[6].Split(' ', StringSplitOptions.RemoveEmptyEntries).LastOrDefault(), out int shmid))
            {
                NativeFile.RemoveSharedMemorySegment(shmid);
            }
        }

        if (killed > 0)
        {
            logger.KilledLeftovers(killed);
        }
    }
}
