using Redoubt.Storage.Chain;
using Redoubt.Storage.Pages;
using Redoubt.Storage.Rocks;
using Redoubt.Wal;

namespace Redoubt.Storage.Segments;

/// <content>Slow background work: images instead of long chains, collecting below the horizon, flushing, removing log, scrubbing.</content>
internal sealed partial class Segment
{
    private const ulong FlushEveryBytes = 64 << 20;
    private static readonly TimeSpan FlushEvery = TimeSpan.FromMinutes(1);
    private const long FirstScrubBytesPerSecond = 64 << 20;
    private const long MinScrubRowBytesPerSecond = 1 << 20;
    private const long RowScrubSeconds = 300;
    private const int CollectSliceRows = 2000;
    private const long MaxCollectRows = 100_000;
    private readonly Lock _upkeepGate = new();
    private readonly Collector _collector = new();
    private long _collectRows;
    private long _rowsSeen;
    private long _scrubRowBytes;
    private long _scrubbedRowBytes;
    private byte[] _scrubRowsAt = [StoreKeys.Page];
    private ulong _scrubLogAfter;
    private bool _scrubbedOnce;
    private DateTime _lastFlush = DateTime.UtcNow;

    /// <summary>Makes images of some pages with long chains. False: there are none.</summary>
    public bool CoalesceSome(int pages)
    {
        bool any = false;
        var reader = new PageReader(_options.PgVersion);
        var page = new byte[PageRedo.PageSize];
        for (int i = 0; i < pages && _heat.TryTake(out var key); i++)
        {
            var store = AcquireStore();
            try
            {
                ulong at = store.ReadApplied();
                ulong floor = store.Cuts.Floor(key, at);
                using var iterator = store.NewIterator();
                if (reader.Read(iterator, key, at, floor, page) && reader.ChainLength > _options.CoalesceAfter / 2)
                {
                    StoreImage(key, reader.VersionLsn, page);
                    _metrics.Coalesced(1);
                }

                any = true;
            }
            catch (Exception e) when (e is StoreCorruptException or RocksDbException)
            {
                _logger.BackgroundFailed(Group, e.Message);
            }
            finally
            {
                store.Release();
            }
        }

        return any;
    }

    /// <summary>Once a second: gauges, flush, log removal, some collecting.</summary>
    public void Upkeep()
    {
        lock (_upkeepGate)
        {
            UpkeepOnce();
        }
    }

    private void UpkeepOnce()
    {
        ulong horizon, applied;
        long rows;
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            applied = _apply.Applied;
            horizon = Math.Min(_file.Horizon, applied);
            rows = _apply.Rows;
            _metrics.Positions(_core.Epochs.Epoch, _core.Chain.Scl, applied, _core.Vdl, Log.Bytes);
        }

        PersistHorizon();
        var store = AcquireStore();
        try
        {
            bool dueBySize = applied > store.FlushedApplied + FlushEveryBytes;
            bool dueByTime = applied > store.FlushedApplied && DateTime.UtcNow - _lastFlush > FlushEvery;
            if (dueBySize || dueByTime)
            {
                store.Flush();
                _lastFlush = DateTime.UtcNow;
            }

            TrimLog(store.FlushedApplied);
            if (horizon > 0)
            {
                Collect(store, horizon, rows);
            }
        }
        finally
        {
            store.Release();
        }
    }

    /// <summary>Looks at twice as many rows as were written since the last time: a store that looks at fewer than are written grows for ever.</summary>
    private void Collect(PageStore store, ulong horizon, long rowsWritten)
    {
        _collectRows = Math.Min(MaxCollectRows, _collectRows + Math.Max(CollectSliceRows, 2 * (rowsWritten - _rowsSeen)));
        _rowsSeen = rowsWritten;
        do
        {
            _metrics.Collected(_collector.Slice(store, _options.PgVersion, horizon, CollectSliceRows));
            _collectRows -= CollectSliceRows;
        }
        while (_collectRows > 0 && !_collector.IsAtEnd);
    }

    /// <summary>Makes the page store durable at once.</summary>
    internal void FlushNow()
    {
        var store = AcquireStore();
        try
        {
            store.Flush();
        }
        finally
        {
            store.Release();
        }
    }

    /// <summary>Spoils the stored row that has the newest change of a page at an LSN, as a bad disk would.</summary>
    internal void SpoilRow(PageKey key, ulong lsn)
    {
        Span<byte> seek = stackalloc byte[StoreKeys.PageLength];
        StoreKeys.WritePage(seek, key, lsn, StoreKeys.AfterAll);
        var store = AcquireStore();
        try
        {
            using var iterator = store.NewIterator();
            iterator.SeekForPrev((ReadOnlySpan<byte>)seek);
            if (!iterator.Valid() || !iterator.GetKeySpan().StartsWith(seek[..StoreKeys.PagePrefix]))
            {
                throw new ArgumentException($"no row of {key} at {new Lsn(lsn)}");
            }

            byte[] value = iterator.GetValueSpan().ToArray();
            value[^1] ^= 1;
            store.Put(iterator.GetKeySpan(), value);
        }
        finally
        {
            store.Release();
        }
    }

    /// <summary><see cref="Upkeep"/>, with failures logged: they are tried again a second later.</summary>
    public void UpkeepSafely()
    {
        try
        {
            Upkeep();
        }
        catch (Exception e)
        {
            SuspectStore(e);
            _logger.BackgroundFailed(Group, e.Message);
        }
    }

    /// <summary>Once a second: reads some log and some rows again, so that every byte is looked at now and then.</summary>
    public void ScrubSafely()
    {
        if (_options.ScrubBytesPerSecond == 0)
        {
            return;
        }

        try
        {
            // What the start took from indexes has not been read yet.
            _scrubLogAfter = ScrubLog(_scrubLogAfter, _scrubbedOnce ? _options.ScrubBytesPerSecond : Math.Max(_options.ScrubBytesPerSecond, FirstScrubBytesPerSecond));
            _scrubbedOnce |= _scrubLogAfter == 0;
            ScrubRows(ref _scrubRowsAt, Math.Min(_options.ScrubBytesPerSecond, Math.Max(MinScrubRowBytesPerSecond, _scrubRowBytes / RowScrubSeconds)));
        }
        catch (Exception e)
        {
            SuspectStore(e);
            _logger.BackgroundFailed(Group, e.Message);
        }
    }

    /// <summary>Verifies log frames after a position; returns where to go on, 0 after the end.</summary>
    internal ulong ScrubLog(ulong after, long budget)
    {
        List<LogRun> runs = [];
        lock (_gate)
        {
            long bytes = 0;
            for (int i = _core.Chain.IndexAfter(after); i < _core.Chain.Runs.Count && bytes < budget; i++)
            {
                runs.Add(_core.Chain.Runs[i]);
                bytes += _core.Chain.Runs[i].At.Length;
            }
        }

        foreach (var run in runs)
        {
            if (Log.Read(run.At) is null && IsStillThere(run))
            {
                FoundBadFrame(run);
                return 0;
            }
        }

        return runs.Count == 0 ? 0 : runs[^1].To;
    }

    private bool IsStillThere(LogRun run)
    {
        lock (_gate)
        {
            return _core.Chain.Runs.Contains(run);
        }
    }

    private void ScrubRows(ref byte[] cursor, long budget)
    {
        var bad = new List<PageKey>();
        var store = AcquireStore();
        try
        {
            using var scan = store.NewIterator(scan: true);
            long bytes = 0;
            bool ended = true;
            for (scan.Seek(cursor); scan.Valid() && scan.GetKeySpan()[0] == StoreKeys.Page; scan.Next())
            {
                var key = scan.GetKeySpan();
                cursor = key.ToArray();
                if (bytes >= budget)
                {
                    ended = false;
                    break;
                }

                var value = scan.GetValueSpan();
                bytes += value.Length;
                var page = PageKey.Read(key[1..]);
                try
                {
                    RowValue.Open(page, StoreKeys.PageLsn(key), value, out _);
                }
                catch (StoreCorruptException)
                {
                    bad.Add(page);
                }
            }

            PageStore.Check(scan);
            _scrubbedRowBytes += bytes;
            if (ended)
            {
                cursor = [StoreKeys.Page];
                (_scrubRowBytes, _scrubbedRowBytes) = (_scrubbedRowBytes, 0);
            }
        }
        finally
        {
            store.Release();
        }

        // Reading them the usual way reports them, and repairs them from a peer.
        Repair([.. bad.Distinct()]);
    }

    private async Task RepairByReadingAsync(PageKey key)
    {
        try
        {
            ReadAt at;
            lock (_gate)
            {
                at = new ReadAt(_core.Epochs.Epoch, _apply.Applied, _apply.Applied);
            }

            await ReadPagesAsync(at, new[] { key }, new byte[PageRedo.PageSize], new byte[1], CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is StoreCorruptException or SegmentNotReadyException or EpochRefusedException or HorizonException or ObjectDisposedException)
        {
            _logger.BackgroundFailed(Group, e.Message);
        }
    }

    /// <summary>Removes files from the front of the log that are applied, flushed, and beyond the retention.</summary>
    private void TrimLog(ulong flushed)
    {
        var finished = Log.Finished();
        long total = finished.Sum(f => (long)f.Size);
        ulong last;
        lock (_gate)
        {
            var removable = new List<ulong>();
            foreach (var (sequence, size, maxEnd) in finished)
            {
                if (total <= _options.LogRetentionBytes || maxEnd > flushed || _damage.Count > 0
                    || _core.Chain.Waiting.Any(w => w.At.File <= sequence))
                {
                    break;
                }

                removable.Add(sequence);
                total -= size;
            }

            last = BeginLogBehind(removable);
            if (last == 0)
            {
                return;
            }
        }

        Log.RemoveUpTo(last);
        _logger.LogTrimmed(Group, new Lsn(_file.BaseEnd), Log.Bytes);
    }

    /// <summary>Moves the log's beginning behind the newest of some files at its front behind which a record begins.</summary>
    /// <returns>That file; 0 when there is none.</returns>
    private ulong BeginLogBehind(List<ulong> files)
    {
        for (int i = files.Count - 1; i >= 0; i--)
        {
            ulong last = files[i];
            if (!_core.Chain.Runs.Any(r => r.At.File <= last))
            {
                return last;
            }

            if (_core.Chain.TrimPoint(last) is not { } end || _core.Chain.Runs.Any(r => r.At.File <= last && r.To > end.To))
            {
                continue;
            }

            // The new beginning is durable before what was before it goes.
            if (end.To > _file.BaseEnd)
            {
                Persist(_file with { BaseEnd = end.To, BaseStart = end.RecordStart });
            }

            _core.Chain.Trim(last);
            return last;
        }

        return 0;
    }
}
