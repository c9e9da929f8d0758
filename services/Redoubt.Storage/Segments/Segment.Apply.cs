using Redoubt.Protocol;
using Redoubt.Storage.Chain;
using Redoubt.Storage.Pages;
using Redoubt.Storage.Rocks;
using Redoubt.Wal;

namespace Redoubt.Storage.Segments;

/// <content>The background: log into pages, up to what is durable and never beyond, so that nothing is ever undone.</content>
internal sealed partial class Segment
{
    private const int ApplyBatchBytes = 1 << 20;
    private readonly List<(ulong At, TaskCompletionSource Done)> _appliedWaiters = [];
    private long _applyRetryAt;
    private byte[] _applyBuffer = new byte[256 << 10];

    /// <summary>Log bytes that may be applied and are not.</summary>
    public ulong ApplyLag
    {
        get
        {
            lock (_gate)
            {
                return _core.ApplyLimit > _apply.Position ? _core.ApplyLimit - _apply.Position : 0;
            }
        }
    }

    /// <summary>Blocks while more than <paramref name="lag"/> bytes wait to be applied, for <paramref name="atMostMs"/> at most: an apply that fails
    /// slows a writer down, and does not stop it.</summary>
    public void AwaitApply(AppendSession session, ulong lag, int atMostMs)
    {
        long until = Environment.TickCount64 + atMostMs;
        while (ApplyLag > lag && session.Failure is null && Environment.TickCount64 < until)
        {
            Thread.Sleep(1);
        }
    }

    /// <summary>True when a read waits for the apply.</summary>
    public bool IsApplyAwaited
    {
        get
        {
            lock (_gate)
            {
                return _appliedWaiters.Count > 0;
            }
        }
    }

    /// <summary>Pages whose chains are long.</summary>
    public int HotPages => _heat.HotCount;

    /// <summary>Applies about one MiB of log. False: there was nothing to do, or it cannot be done now.</summary>
    public bool ApplySome()
    {
        lock (_applyGate)
        {
            if (_disposed)
            {
                return false;
            }

            var runs = TakeRuns(out ulong limit);
            if (runs.Count == 0)
            {
                return false;
            }

            using var activity = StorageTracing.Source.StartActivity("storage.apply");
            ulong before = _apply.Position, last = before;
            try
            {
                long bytes = 0;
                foreach (var run in runs)
                {
                    if (!Log.TryRead(run.At, ref _applyBuffer, fromMemory: true))
                    {
                        FoundBadFrame(run);
                        break;
                    }

                    bytes += run.At.Length;
                    if (!ApplyFrame(_applyBuffer, run, limit, ref last))
                    {
                        break;
                    }
                }

                if (last == before)
                {
                    return false;
                }

                _apply.Commit();
                _metrics.Applied(bytes);
            }
            catch (Exception e)
            {
                ApplyFailed(e);
                return false;
            }

            AppliedUpTo(_apply.Applied);
            return true;
        }
    }

    private List<LogRun> TakeRuns(out ulong limit)
    {
        var runs = new List<LogRun>();
        lock (_gate)
        {
            limit = _core.ApplyLimit;
            long bytes = 0;
            if (limit <= _apply.Position || (_applyFailure is not null && Environment.TickCount64 < _applyRetryAt))
            {
                return runs;
            }

            for (int i = _core.Chain.IndexAfter(_apply.Position);
                 i < _core.Chain.Runs.Count && bytes < ApplyBatchBytes && _core.Chain.Runs[i].From < limit;
                 i++)
            {
                runs.Add(_core.Chain.Runs[i]);
                bytes += _core.Chain.Runs[i].At.Length;
            }
        }

        return runs;
    }

    private bool ApplyFrame(byte[] bytes, LogRun run, ulong limit, ref ulong last)
    {
        foreach (var entry in LogFrame.Parse(bytes).Entries)
        {
            if (entry.End.Value <= last || entry.End.Value <= run.From)
            {
                continue;
            }

            if (entry.End.Value > run.To || entry.End.Value > limit)
            {
                return false;
            }

            if (entry.PrevEnd.Value != last)
            {
                throw new LogFrameException($"entry {entry.End} follows {entry.PrevEnd}, but {new Lsn(last)} is applied");
            }

            _apply.Add(entry);
            last = entry.End.Value;
        }

        return true;
    }

    private void ApplyFailed(Exception e)
    {
        lock (_gate)
        {
            _applyFailure = $"log cannot be applied after {new Lsn(_apply.Applied)}: {e.Message}";

            // A full disk gets space again; a record that cannot be applied may be one that a restart with a newer program can.
            _applyRetryAt = Environment.TickCount64 + (e is RocksDbException ? 5_000 : 60_000);
        }

        _logger.ApplyFailed(Group, new Lsn(_apply.Applied), e.Message);

        SuspectStore(e);

        // What the failed batch left in memory must not leak into a later one.
        _apply.Dispose();
        _apply = new ApplyBatch(_store, _router, Group, _options.PgVersion, _heat);
    }

    private void AppliedUpTo(ulong applied)
    {
        List<TaskCompletionSource>? done = null;
        lock (_gate)
        {
            _applyFailure = null;
            for (int i = _appliedWaiters.Count - 1; i >= 0; i--)
            {
                if (_appliedWaiters[i].At <= applied)
                {
                    (done ??= []).Add(_appliedWaiters[i].Done);
                    _appliedWaiters.RemoveAt(i);
                }
            }
        }

        done?.ForEach(d => d.TrySetResult());
    }

    /// <summary>Waits until the log is applied up to a position.</summary>
    /// <exception cref="SegmentNotReadyException">Not within the time that a read may wait.</exception>
    private async Task WaitAppliedAsync(ulong at, CancellationToken cancellation)
    {
        TaskCompletionSource done;
        lock (_gate)
        {
            if (_apply.Applied >= at)
            {
                return;
            }

            if (_applyFailure is { } failure)
            {
                throw new SegmentNotReadyException(NotReadyReason.NotApplied, failure);
            }

            done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _appliedWaiters.Add((at, done));
        }

        _hurry();
        try
        {
            await done.Task.WaitAsync(ReadPatience, cancellation).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new SegmentNotReadyException(NotReadyReason.NotApplied,
                $"{_options.Name} group {Group} has applied {new Lsn(_apply.Applied)}, the read needs {new Lsn(at)}");
        }
        finally
        {
            lock (_gate)
            {
                _appliedWaiters.RemoveAll(w => w.Done == done);
            }
        }
    }

    /// <summary>Throws the page store away and starts an empty one, or one that was rebuilt. Both locks are held.</summary>
    private void ReplaceStore(bool rebuilt = false)
    {
        var old = _store;
        int generation = _file.StoreGeneration + 1;
        string folder = Path.Combine(_folder, $"pages-{generation}");
        if (!rebuilt && Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        var store = PageStore.Open(folder, _cache, WriteBufferBytes);
        Persist(_file with { StoreGeneration = generation });
        _apply.Dispose();
        _store = store;
        _apply = new ApplyBatch(store, _router, Group, _options.PgVersion, _heat);
        _applyFailure = null;
        old.Retire(() => Directory.Delete(old.Folder, recursive: true));
    }
}
