using System.Diagnostics;
using System.Numerics;
using Redoubt.Compute.Runtime;
using Redoubt.Compute.Volume;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Shipping;

/// <summary>
/// The log's way out: gathers records into frames, ships each frame to every copy of its group, and knows the VDL from the acknowledgements.
/// </summary>
/// <remarks>
/// Who does the work: the thread that reads PostgreSQL's log frames and sends; the thread that reads acknowledgements moves the VDL, lets
/// PostgreSQL's flushes go on and sends what was gathered meanwhile. No timers and no queues between threads. While so many shipments as
/// configured are on their way to the quorum, new records are gathered into one frame: the busier the disks, the larger the batches.
/// A shipment is dropped from memory when all copies have it; over the window, when a write quorum has it (who lacks it gets it from peers);
/// never before. When the window is full of log that no quorum has, reading PostgreSQL's log stops.
/// </remarks>
public sealed partial class VolumeWriter : IAsyncDisposable
{
    private const int WindowToldEveryMs = 60_000;

    private readonly Lock _gate = new();
    private readonly VolumeShape _shape;
    private readonly GroupRouter _router;
    private readonly QuorumTracker _quorum;
    private readonly GroupLog[] _groups;
    private readonly SegmentStream[][] _streams;
    private readonly long[] _quorumSequence;
    private readonly ulong[] _pagePoints;
    private readonly long _window;
    private readonly int _inFlight;
    private readonly ILogger _logger;
    private readonly CommitTimings _timings;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _room = new(0);
    private readonly List<(ulong Lsn, TaskCompletionSource Reached)> _waiters = [];
    private Task[] _tasks = [];
    private AckThread? _acks;
    private ulong _reportedVdl;
    private bool _waitingForRoom;
    private long _windowToldAt = -WindowToldEveryMs;
    private ulong _unfinished;      // start of the record whose last part has not come; 0: none
    private FencedException? _fenced;

    public VolumeWriter(
        OpenedVolume volume,
        VolumeShape shape,
        IReadOnlyList<GrpcSegment> segments,
        long windowBytes,
        int inFlight,
        CommitTimings timings,
        ILogger logger)
    {
        Volume = volume;
        _shape = shape;
        _router = new GroupRouter(shape.Groups);
        _window = windowBytes;
        _inFlight = inFlight;
        _timings = timings;
        _logger = logger;
        _quorum = new QuorumTracker(shape, volume.End.Vdl, volume.End.GroupEnds);
        _quorumSequence = new long[shape.Groups];
        _pagePoints = new ulong[shape.Groups];
        _groups = [.. Enumerable.Range(0, shape.Groups).Select(g => new GroupLog(volume.Epoch, volume.End.GroupEnds[g]))];
        _streams = [.. Enumerable.Range(0, shape.Groups).Select(g => segments.Where(s => s.Group == g).OrderBy(s => s.Copy)
            .Select(s => new SegmentStream(this, _groups[g], s, logger)).ToArray())];
    }

    public OpenedVolume Volume { get; }

    /// <summary>Called without locks, on the thread that moved it, whenever the VDL moved; calls may overlap and come out of order.</summary>
    public Action<ulong>? VdlMoved { get; set; }

    /// <summary>Called once when a newer writer shows up.</summary>
    public Action<FencedException>? Fenced { get; set; }

    /// <summary>Called when the writer cannot go on: nothing will be acknowledged any more.</summary>
    public Action<Exception>? Broken { get; set; }

    /// <summary>All streams: [group][copy].</summary>
    public IReadOnlyList<IReadOnlyList<SegmentStream>> Streams => _streams;

    /// <summary>True when commits can reach a write quorum of every group.</summary>
    public bool HasWriteQuorum => _streams.All(g => g.Count(s => s.IsConnected) >= _shape.WriteQuorum);

    /// <summary>The volume durable LSN.</summary>
    public ulong Vdl
    {
        get
        {
            lock (_gate)
            {
                return _quorum.Vdl;
            }
        }
    }

    /// <summary>Bytes of log in memory.</summary>
    public long KeptBytes
    {
        get
        {
            lock (_gate)
            {
                return KeptBytesLocked();
            }
        }
    }

    /// <summary>The read point for a page of a group, and the LSN to which a copy must be complete to serve it.</summary>
    public (ulong ReadPoint, ulong CompleteAt) ReadPoint(int group)
    {
        lock (_gate)
        {
            return (_quorum.Vdl, _quorum.GroupVdl(group));
        }
    }

    /// <summary>
    /// The read point for a page that nobody touched since the bootstrap: every LSN from the bootstrap's to the VDL shows the same page, so this is what
    /// a write quorum has applied already. Never goes back, never before <see cref="FixReadFloor"/>. It is the end of an entry of the group.
    /// </summary>
    public ulong PageReadPoint(int group)
    {
        Span<ulong> applied = stackalloc ulong[_shape.Copies];
        for (int copy = 0; copy < applied.Length; copy++)
        {
            applied[copy] = _streams[group][copy].Applied;
        }

        ulong quorum = _shape.QuorumPosition(applied);
        lock (_gate)
        {
            ulong point = Math.Min(quorum, _quorum.GroupVdl(group));
            return _pagePoints[group] = Math.Max(point, _pagePoints[group]);
        }
    }

    /// <summary>The bootstrap reads at the present VDL: no page may be read before it from now on.</summary>
    public void FixReadFloor()
    {
        lock (_gate)
        {
            for (int g = 0; g < _pagePoints.Length; g++)
            {
                _pagePoints[g] = _quorum.GroupVdl(g);
            }
        }
    }

    /// <summary>A copy's SCL, as last heard.</summary>
    public ulong Scl(int group, int copy)
    {
        lock (_gate)
        {
            return _quorum.Position(group, copy);
        }
    }

    /// <summary>Connects to all segments.</summary>
    public void Start()
    {
        _tasks = [.. _streams.SelectMany(s => s).Select(s => Task.Run(() => s.RunAsync(_stop.Token)))];
        _acks = new AckThread([.. _streams.SelectMany(s => s)], Beat, AwaitsQuorum, e => Broken?.Invoke(e));
    }

    /// <summary>Takes the next entry; a record of more than <see cref="LogFrame.MaxBodyLength"/> bytes becomes parts. Nothing need be sent before
    /// <see cref="Ship"/>.</summary>
    /// <exception cref="FencedException">This writer is fenced.</exception>
    /// <exception cref="InvalidOperationException">The last part of a record has not come.</exception>
    public void Add(LogEntryKind kind, Lsn start, Lsn end, ulong mask, ReadOnlySpan<byte> body, long receivedAt)
    {
        lock (_gate)
        {
            RequireRecordBoundary(start);
            if (kind != LogEntryKind.WalRecord || body.Length <= LogFrame.MaxBodyLength)
            {
                AddLocked(kind, start, end, mask, body, receivedAt);
                return;
            }

            for (int at = 0; at < body.Length; at += LogFrame.MaxBodyLength)
            {
                var part = body[at..Math.Min(at + LogFrame.MaxBodyLength, body.Length)];
                bool isLast = at + part.Length == body.Length;
                AddLocked(
                    isLast ? LogEntryKind.RecordEnd : LogEntryKind.RecordPart,
                    start,
                    isLast ? end : WalAddress.PositionAfter(start, (uint)(at + part.Length)),
                    mask,
                    part,
                    receivedAt);
            }
        }
    }

    /// <summary>Takes the next bytes of a record too long for one entry (docs/decisions/0022); all groups get them, so that nobody need see the whole
    /// record. Between parts the caller ships and waits for room as between records.</summary>
    /// <param name="start">Start of the record: the same for all its parts.</param>
    /// <param name="end">The position in the log that these bytes reach; for the last part the record's end, which alone can become the VDL.</param>
    /// <param name="isLast">The record ends here.</param>
    /// <param name="body">The record's next bytes, without page headers; at most <see cref="LogFrame.MaxBodyLength"/>.</param>
    /// <param name="receivedAt">Stopwatch ticks when they were read.</param>
    /// <exception cref="FencedException">This writer is fenced.</exception>
    /// <exception cref="InvalidOperationException">The parts of another record have not ended.</exception>
    public void AddPart(Lsn start, Lsn end, bool isLast, ReadOnlySpan<byte> body, long receivedAt)
    {
        lock (_gate)
        {
            if (_unfinished != start.Value)
            {
                RequireRecordBoundary(start);
            }

            AddLocked(isLast ? LogEntryKind.RecordEnd : LogEntryKind.RecordPart, start, end, _router.All, body, receivedAt);
        }
    }

    /// <summary>Sends what was added, now or as soon as a shipment on its way has reached the quorum.</summary>
    public void Ship()
    {
        lock (_gate)
        {
            for (int g = 0; g < _groups.Length; g++)
            {
                if (_groups[g].HasGathered && MayShip(g))
                {
                    ShipLocked(g);
                }
            }
        }

        for (int g = 0; g < _groups.Length; g++)
        {
            Pump(g);
        }
    }

    /// <summary>Blocks the caller while the window is full of log that no quorum has.</summary>
    public void WaitForRoom(CancellationToken cancellationToken)
    {
        while (true)
        {
            lock (_gate)
            {
                if (KeptBytesLocked() < _window || _fenced is not null)
                {
                    return;
                }

                _waitingForRoom = true;
            }

            if (Environment.TickCount64 - _windowToldAt > WindowToldEveryMs)
            {
                _logger.LogWindowFull(_window >> 20);
                _windowToldAt = Environment.TickCount64;
            }

            _room.Wait(cancellationToken);
        }
    }

    /// <summary>Completes when the VDL has reached a position.</summary>
    /// <exception cref="FencedException">It never will.</exception>
    public Task WhenDurableAsync(Lsn lsn)
    {
        lock (_gate)
        {
            if (_fenced is not null)
            {
                return Task.FromException(_fenced);
            }

            if (_quorum.Vdl >= lsn.Value)
            {
                return Task.CompletedTask;
            }

            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiters.Add((lsn.Value, reached));
            return reached.Task;
        }
    }

    /// <summary>A newer writer exists: nothing may be acknowledged from here on.</summary>
    public void Fence(ulong newer, string segment)
    {
        FencedException fenced;
        lock (_gate)
        {
            if (_fenced is not null)
            {
                return;
            }

            fenced = _fenced = new FencedException(Volume.Epoch, newer, segment);
        }

        Fenced?.Invoke(fenced);
        lock (_gate)
        {
            foreach (var (_, reached) in _waiters)
            {
                reached.TrySetException(fenced);
            }

            _waiters.Clear();
        }

        _room.Release();
    }

    public async ValueTask DisposeAsync()
    {
        VdlMoved = null;
        Fenced = null;
        Broken = null;
        LeaseMoved = null;
        LeaseLost = null;
        await _stop.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(_tasks).ConfigureAwait(false);
        _acks?.Dispose();
        lock (_gate)
        {
            foreach (var group in _groups)
            {
                group.Trim(ulong.MaxValue, ulong.MaxValue, 0);
            }

            foreach (var (_, reached) in _waiters)
            {
                reached.TrySetCanceled();
            }

            _waiters.Clear();
        }

        _stop.Dispose();
    }

    internal Shipment? Take(GroupLog log, ref long sequence)
    {
        lock (_gate)
        {
            return log.Take(ref sequence);
        }
    }

    private void AddLocked(LogEntryKind kind, Lsn start, Lsn end, ulong mask, ReadOnlySpan<byte> body, long receivedAt)
    {
        if (_fenced is not null)
        {
            throw _fenced;
        }

        for (ulong rest = mask; rest != 0; rest &= rest - 1)
        {
            int group = BitOperations.TrailingZeroCount(rest);
            if (!_groups[group].HasRoomFor(body.Length))
            {
                ShipLocked(group);
            }

            _groups[group].Add(kind, start, end, mask, body, receivedAt);
        }

        if (kind.EndsRecord())
        {
            _quorum.Add(end.Value, mask);
            _unfinished = 0;
        }
        else
        {
            _unfinished = start.Value;
        }
    }

    private void RequireRecordBoundary(Lsn start)
    {
        if (_unfinished != 0)
        {
            throw new InvalidOperationException($"entry {start} cannot come inside the record that starts at {new Lsn(_unfinished)}");
        }
    }

    private long KeptBytesLocked() => _groups.Length == 1 ? _groups[0].KeptBytes : _groups.Sum(g => g.KeptBytes);

    private bool MayShip(int g) => _groups[g].NextSequence - _quorumSequence[g] < _inFlight || _groups[g].IsFull;

    private void ShipLocked(int g)
    {
        _timings.Framed(_groups[g].Ship(_quorum.Vdl, _quorum.GroupVdl(g), _gcHorizon, BootClock.NowMs));
        if (_groups.Length == 1)
        {
            // The shipment says what a heartbeat would.
            _heartbeatVdl = _quorum.Vdl;
            _heartbeatAt = Environment.TickCount64;
        }
    }

    private void Pump(int g)
    {
        foreach (var stream in _streams[g])
        {
            stream.Pump();
        }

        lock (_gate)
        {
            if (_groups[g].Peek(_groups[g].NextSequence - 1) is { SentAt: 0 } newest)
            {
                newest.SentAt = Stopwatch.GetTimestamp();
                _timings.Sent(newest);
            }
        }
    }
}
