using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Chain;
using Redoubt.Wal;

namespace Redoubt.Storage.Segments;

/// <content>Epochs, truncations, and how a copy joins the volume.</content>
internal sealed partial class Segment
{
    private static readonly TimeSpan JoinPatience = TimeSpan.FromSeconds(2);

    private string JoiningMessage => _file.JoinTarget == 0
        ? "new copy: asking the others whether the volume is new"
        : $"new copy of an existing volume: complete to {new Lsn(_core.Chain.Scl)} of {new Lsn(_file.JoinTarget)}";

    /// <summary>Grants an epoch, durably, or refuses it.</summary>
    /// <exception cref="EpochRefusedException">Not higher than every epoch before.</exception>
    /// <exception cref="SegmentNotReadyException">This copy has not joined: it cannot answer for what an earlier copy in its place promised.</exception>
    /// <exception cref="ShapeMismatchException">The volume was made otherwise.</exception>
    public async Task<SegmentState> OpenEpochAsync(OpenEpochRequest request, CancellationToken cancellation)
    {
        var shape = new VolumeShape((int)request.Copies, (int)request.WriteQuorum, (int)request.ReadQuorum, (int)request.Groups).Validate();
        if (shape != _options.Shape || (int)request.PgVersion != (int)_options.PgVersion)
        {
            throw new ShapeMismatchException(
                $"{_options.Name} is configured for PostgreSQL {(int)_options.PgVersion} with {_options.Shape}; the writer says PostgreSQL {request.PgVersion} with {shape}");
        }

        await RequireJoinedAsync(cancellation).ConfigureAwait(false);
        lock (_gate)
        {
            EpochState next;
            try
            {
                next = _core.Epochs.Grant(request.Epoch);
            }
            catch (EpochRefusedException e)
            {
                _metrics.Fenced();
                _logger.EpochRefused(Group, request.Epoch, request.Writer, e.Current);
                throw;
            }

            Persist(_file.Fix((int)request.PgVersion, shape).With(next) with { Writer = request.Writer });
            _core.Adopt(next);
            WakeSessions();
            _logger.EpochGranted(Group, request.Epoch, request.Writer, new Lsn(_core.Chain.Scl));
            return StateLocked();
        }
    }

    /// <summary>Records a truncation, durably.</summary>
    /// <exception cref="EpochRefusedException">A newer epoch is obeyed.</exception>
    /// <exception cref="ChainException">It would lose what is durable, or the epoch truncated elsewhere before.</exception>
    public SegmentState Truncate(TruncateRequest request)
    {
        var point = new TruncationPoint(request.Epoch, request.Above, request.GroupEnd);
        var earlier = request.History.Select(t => new TruncationPoint(t.Epoch, t.Above, t.GroupEnd)).ToArray();
        lock (_applyGate)
        {
            lock (_gate)
            {
                if (!_file.HasShape)
                {
                    throw new SegmentNotReadyException(NotReadyReason.Joining, $"no epoch was opened here yet, truncation of {request.Epoch} comes too early");
                }

                var next = _core.Epochs.Truncate(point, earlier);
                if (ReferenceEquals(next, _core.Epochs))
                {
                    return StateLocked();
                }

                _core.CheckTruncation(point, _apply.Applied);
                ulong before = _core.Chain.Scl;
                Take(next);
                _logger.Truncated(Group, point.Epoch, new Lsn(point.Above), new Lsn(point.GroupEnd), new Lsn(before), new Lsn(_core.Chain.Scl));
                WakeSessions();
                return StateLocked();
            }
        }
    }

    /// <summary>Takes over a peer's truncations when they are newer.</summary>
    internal void Learn(IReadOnlyList<Truncation> truncations, string peer)
    {
        var history = new TruncationHistory(truncations.Select(t => new TruncationPoint(t.Epoch, t.Above, t.GroupEnd)));
        lock (_applyGate)
        {
            lock (_gate)
            {
                if (_core.Epochs.Learn(history) is not { } next)
                {
                    return;
                }

                _core.CheckTruncation(history.Points[^1], _apply.Applied);
                ulong before = _core.Chain.Scl;
                Take(next);
                _logger.HistoryLearned(Group, next.Epoch, peer, new Lsn(before), new Lsn(_core.Chain.Scl));
                WakeSessions();
            }
        }
    }

    /// <summary>Persists an epoch state, then makes it take effect. Both locks are held.</summary>
    private void Take(EpochState next)
    {
        bool emptied = next.History.LastEpoch != 0 && next.History.Points[^1].Above < _apply.Applied;
        Persist(_file.With(next) with
        {
            BaseEnd = emptied ? 0 : _file.BaseEnd,
            BaseStart = emptied ? 0 : _file.BaseStart,
        });
        if (!_core.Adopt(next) || emptied)
        {
            _logger.ImportReset(Group);
            ReplaceStore();
        }
    }

    private async Task RequireJoinedAsync(CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(JoinPatience);
        while (!await TryJoinAsync(patience.Token).ConfigureAwait(false))
        {
            try
            {
                await Task.Delay(50, patience.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                lock (_gate)
                {
                    throw new SegmentNotReadyException(NotReadyReason.Joining, $"{_options.Name} group {Group} has not joined: {JoiningMessage}");
                }
            }
        }
    }

    /// <summary>
    /// A copy without memory may follow one whose disk was lost, and that one may have promised epochs and acknowledged log. So it
    /// counts in no quorum until it has learned from so many joined copies that any write quorum of the past is among them, and has
    /// all log that they have. Only where nobody has anything, and everybody says so, the volume is new.
    /// </summary>
    internal async Task<bool> TryJoinAsync(CancellationToken cancellation)
    {
        lock (_gate)
        {
            if (_file.Joined)
            {
                return true;
            }

            if (_file.JoinTarget != 0 && _core.Chain.Scl >= _file.JoinTarget)
            {
                Persist(_file with { Joined = true });
                _logger.Joined(Group, new Lsn(_core.Chain.Scl));
                return true;
            }

            if (_file.JoinTarget != 0)
            {
                return false;
            }
        }

        var states = await _peers.StatesAsync(Group, cancellation).ConfigureAwait(false);
        var joined = states.Where(s => s.State.Joined).ToArray();
        var shape = _options.Shape;
        bool enough = joined.Length >= shape.Copies - shape.WriteQuorum + 1 && joined.Length > 0;
        bool isNew = states.Count == shape.Copies - 1 && states.All(s => s.State.Scl == 0 && s.State.Applied == 0);
        if (!enough && !isNew)
        {
            return false;
        }

        foreach (var (peer, state) in joined.OrderByDescending(s => s.State.Truncations.Count == 0 ? 0 : s.State.Truncations[^1].Epoch).Take(1))
        {
            Learn(state.Truncations, peer.Name);
        }

        lock (_gate)
        {
            ulong epoch = states.Count == 0 ? 0 : states.Max(s => s.State.Epoch);
            ulong target = joined.Length == 0 ? 0 : joined.Max(s => s.State.Scl);
            var next = epoch > _core.Epochs.Epoch ? _core.Epochs with { Epoch = epoch } : _core.Epochs;
            var file = _file.With(next) with { JoinTarget = target, Joined = _core.Chain.Scl >= target };
            Persist(enough ? file.Fix((int)_options.PgVersion, shape) : file);
            _core.Adopt(next);
            if (!_file.Joined)
            {
                _logger.Rejoining(Group, new Lsn(target));
            }

            return _file.Joined;
        }
    }
}
