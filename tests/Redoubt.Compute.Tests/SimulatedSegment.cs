using Redoubt.Compute.Volume;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;

namespace Redoubt.Compute.Tests;

/// <summary>A segment in memory that keeps its promises, behind a network that loses calls and answers, and that may be away.</summary>
internal sealed class SimulatedSegment(SimulatedNetwork network, int copy, int group) : ISegment
{
    private readonly List<Entry> _log = [];
    private readonly List<Truncation> _history = [];
    private ulong _epoch;
    private ulong _vdl;

    public string Name => $"storage-{copy}";

    public int Copy => copy;

    public int Group => group;

    public string Endpoint => $"sim://{copy}";

    public bool IsAway { get; set; }

    public ulong Epoch => _epoch;

    public IReadOnlyList<Entry> Log => _log;

    public ulong Scl => Chain().Scl;

    public Task<SegmentState> GetStateAsync(CancellationToken cancellationToken) => Call(State);

    public Task<SegmentState> OpenEpochAsync(ulong epoch, CancellationToken cancellationToken) => Call(() =>
    {
        if (epoch <= _epoch)
        {
            throw new StaleEpochException(Name, epoch, $"has {_epoch}");
        }

        _epoch = epoch;
        return State();
    });

    public Task<SegmentState> TruncateAsync(Truncation truncation, IReadOnlyList<Truncation> history, CancellationToken cancellationToken) => Call(() =>
    {
        Require(truncation.Epoch);
        Adopt([.. history, truncation]);
        return State();
    });

    public Task<SegmentState> CatchUpAsync(ulong epoch, ulong target, IReadOnlyList<string> peers, CancellationToken cancellationToken) => Call(() =>
    {
        Require(epoch);
        foreach (string peer in peers)
        {
            var other = network.Segments.Single(s => s.Endpoint == peer && s.Group == group);
            if (!other.IsAway)
            {
                foreach (var entry in other._log)
                {
                    Store(entry);
                }
            }
        }

        return Scl >= target ? State() : throw new SegmentUnavailableException(Name, "still behind");
    });

    public async Task<IReadOnlyList<LogPosition>> FetchPositionsAsync(ulong epoch, ulong from, CancellationToken cancellationToken)
    {
        await Call(State);
        lock (network)
        {
            return [.. _log.Select(e => e.Position).Where(p => p.PrevEnd >= from).OrderBy(p => p.End)];
        }
    }

    /// <summary>The foreground: an entry of a writer. Null: lost on the way, or refused.</summary>
    public ulong? Append(ulong epoch, LogPosition position, ulong vdl)
    {
        if (IsAway || epoch != _epoch || !_history.Any(t => t.Epoch == epoch) || network.Loses())
        {
            return null;
        }

        _vdl = Math.Max(_vdl, vdl);
        Store(new Entry(epoch, position));
        return network.Loses() ? null : Scl;
    }

    /// <summary>A new writer's stream: learns its epoch and truncations when it missed them.</summary>
    public bool Connect(OpenedVolume volume)
    {
        if (IsAway || _epoch > volume.Epoch)
        {
            return false;
        }

        _epoch = volume.Epoch;
        if (!_history.Any(t => t.Epoch == volume.Epoch))
        {
            Adopt(volume.Histories[group]);
        }

        return true;
    }

    public void Wipe()
    {
        _log.Clear();
        _history.Clear();
        _epoch = 0;
        _vdl = 0;
    }

    private void Store(Entry entry)
    {
        bool isVoid = _history.Any(t => t.Epoch > entry.Epoch && entry.Position.End > t.Above);
        if (!isVoid && !_log.Any(e => e.Position.End == entry.Position.End && e.Epoch == entry.Epoch))
        {
            _log.RemoveAll(e => e.Position.End == entry.Position.End && e.Epoch < entry.Epoch);
            _log.Add(entry);
        }
    }

    private void Adopt(IEnumerable<Truncation> history)
    {
        _history.Clear();
        _history.AddRange(history.Select(t => t.Clone()));
        _log.RemoveAll(e => _history.Any(t => t.Epoch > e.Epoch && e.Position.End > t.Above));
    }

    private void Require(ulong epoch)
    {
        if (epoch < _epoch)
        {
            throw new StaleEpochException(Name, epoch, $"has {_epoch}");
        }
    }

    private (ulong Scl, ulong RecordEnd) Chain()
    {
        ulong scl = 0, recordEnd = 0;
        foreach (var entry in _log.OrderBy(e => e.Position.End))
        {
            if (entry.Position.PrevEnd != scl)
            {
                break;
            }

            scl = entry.Position.End;
            recordEnd = entry.Position.Kind.EndsRecord() ? scl : recordEnd;
        }

        return (scl, recordEnd);
    }

    private SegmentState State()
    {
        var (scl, recordEnd) = Chain();
        var state = new SegmentState { Segment = new SegmentId { Group = (uint)group }, Epoch = _epoch, Scl = scl, RecordEnd = recordEnd, Vdl = _vdl };
        state.Truncations.AddRange(_history.Select(t => t.Clone()));
        return state;
    }

    private async Task<SegmentState> Call(Func<SegmentState> body)
    {
        await Task.Yield();
        lock (network)
        {
            if (IsAway || network.Loses())
            {
                throw new SegmentUnavailableException(Name, "away");
            }

            var state = body();
            return network.Loses() ? throw new SegmentUnavailableException(Name, "answer lost") : state;
        }
    }

    internal sealed record Entry(ulong Epoch, LogPosition Position);
}
