using Grpc.Core;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Chain;
using Redoubt.Storage.LogFiles;
using Redoubt.Storage.Pages;
using Redoubt.Storage.Peers;
using Redoubt.Wal;

namespace Redoubt.Storage.Segments;

/// <content>What is learned from peers: missing log, epochs, truncations, and that a new copy may count.</content>
internal sealed partial class Segment
{
    private readonly SemaphoreSlim _gossipSignal = new(0, 1);
    private readonly SemaphoreSlim _fetching = new(1, 1);

    /// <summary>Fills gaps from peers, joins the volume, learns of truncations missed; until cancelled.</summary>
    public async Task RunGossipAsync(CancellationToken cancellation)
    {
        var random = new Random();
        bool first = true;
        while (!cancellation.IsCancellationRequested)
        {
            try
            {
                bool soon = NeedsPeers();
                var pause = soon ? TimeSpan.FromMilliseconds(100 + random.Next(100)) : _options.GossipEvery * (0.75 + (random.NextDouble() / 2));
                await _gossipSignal.WaitAsync(first && soon ? TimeSpan.Zero : pause, cancellation).ConfigureAwait(false);
                first = false;
                if (Drills.Partitioned || _peers.All.Count == 0)
                {
                    await TryJoinAsync(cancellation).ConfigureAwait(false);
                    continue;
                }

                await TryJoinAsync(cancellation).ConfigureAwait(false);
                if (NeedsPeers())
                {
                    if (await IsStuckAsync(cancellation).ConfigureAwait(false))
                    {
                        await CatchUpOnceAsync(cancellation).ConfigureAwait(false);
                    }
                }
                else
                {
                    await LookAtAsync(_peers.All[random.Next(_peers.All.Count)], cancellation).ConfigureAwait(false);
                }

                FinishRepairs();
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                _logger.BackgroundFailed(Group, e.Message);
            }
        }
    }

    /// <summary>Answers when the log is complete to a target, or the call is cancelled.</summary>
    /// <exception cref="EpochRefusedException">The caller's epoch is not obeyed any more.</exception>
    public async Task<SegmentState> CatchUpAsync(CatchUpRequest request, CancellationToken cancellation)
    {
        while (true)
        {
            lock (_gate)
            {
                _core.RequireWriter(request.Epoch);
                if (_core.Chain.Scl >= request.Target)
                {
                    return StateLocked();
                }
            }

            await CatchUpOnceAsync(cancellation).ConfigureAwait(false);
            if (Scl < request.Target)
            {
                await Task.Delay(50, cancellation).ConfigureAwait(false);
            }
        }
    }

    private bool NeedsPeers()
    {
        lock (_gate)
        {
            return !_file.Joined || _core.IsBehind || _damage.Count > 0 || NeedsRebuild();
        }
    }

    /// <summary>Behind, and the writer's stream does not bring what is missing: under load every copy is behind the quorum's for moments.</summary>
    private async Task<bool> IsStuckAsync(CancellationToken cancellation)
    {
        ulong scl;
        lock (_gate)
        {
            if (!_file.Joined || _damage.Count > 0 || NeedsRebuild())
            {
                return true;
            }

            scl = _core.Chain.Scl;
        }

        await Task.Delay(300, cancellation).ConfigureAwait(false);
        lock (_gate)
        {
            return _core.IsBehind && _core.Chain.Scl == scl;
        }
    }

    private bool NeedsRebuild() => _storeDamaged || _apply.Applied < _core.Chain.Base;

    /// <summary>A look at one peer when nothing is known to be missing: this copy may be cut off from the writer and not know it.</summary>
    private async Task LookAtAsync(Peer peer, CancellationToken cancellation)
    {
        if (await _peers.StateAsync(peer, Group, cancellation).ConfigureAwait(false) is not { } state)
        {
            return;
        }

        if (state.Epoch == 0)
        {
            lock (_gate)
            {
                _heardOfOthers = true;
            }

            return;
        }

        Learn(state.Truncations, peer.Name);
        if (state.Scl <= Scl)
        {
            HearFromPeer(state);
            return;
        }

        // What the peer has may be on its way here too.
        await Task.Delay(250, cancellation).ConfigureAwait(false);
        if (state.Scl > Scl)
        {
            await CatchUpOnceAsync(cancellation).ConfigureAwait(false);
        }

        HearFromPeer(state);
    }

    private void HearFromPeer(SegmentState state)
    {
        lock (_gate)
        {
            _heardOfOthers = true;
            _core.HearVdl(state.Epoch, state.Truncations.Any(t => t.Epoch == state.Epoch) ? state.Vdl : 0, 0);
        }

        _kick();
    }

    private async Task CatchUpOnceAsync(CancellationToken cancellation)
    {
        await _fetching.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var states = await _peers.StatesAsync(Group, cancellation).ConfigureAwait(false);
            foreach (var (peer, state) in states.OrderBy(s => s.State.Truncations.Count))
            {
                if (state.Joined)
                {
                    Learn(state.Truncations, peer.Name);
                }
            }

            bool rebuild;
            lock (_gate)
            {
                if (!_core.Epochs.IsSettled)
                {
                    return;
                }

                rebuild = NeedsRebuild();
            }

            var ahead = states.Where(s => s.State.Scl > Scl && s.State.Epoch > 0).OrderByDescending(s => s.State.Scl).ToArray();
            var reach = ahead.Where(s => s.State.LogStart <= Scl).ToArray();
            if (rebuild || (ahead.Length > 0 && reach.Length == 0))
            {
                var source = states.Where(s => s.State.Joined && s.State.State != "failed" && s.State.Applied > 0)
                    .OrderByDescending(s => s.State.Applied).Select(s => s.Peer).FirstOrDefault();
                if (source is not null)
                {
                    await RebuildAsync(source, cancellation).ConfigureAwait(false);
                }

                return;
            }

            foreach (var (peer, state) in reach)
            {
                HearFromPeer(state);
                ulong before = Scl;
                if (before >= state.Scl)
                {
                    continue;
                }

                try
                {
                    int frames = await FetchFromAsync(peer, cancellation).ConfigureAwait(false);
                    if (Scl > before)
                    {
                        _logger.CaughtUp(Group, frames, peer.Name, new Lsn(before), new Lsn(Scl));
                    }
                }
                catch (Exception e) when (e is RpcException or LogFrameException)
                {
                    _logger.PeerFailed(Group, peer.Name, e.Message);
                }
            }
        }
        finally
        {
            _fetching.Release();
        }
    }

    private async Task<int> FetchFromAsync(Peer peer, CancellationToken cancellation)
    {
        int count = 0;
        using var call = peer.Client.FetchLog(
            new FetchLogRequest { Segment = _peers.Id(Group), Epoch = Epoch, From = Scl }, cancellationToken: cancellation);
        await foreach (var chunk in call.ResponseStream.ReadAllAsync(cancellation).ConfigureAwait(false))
        {
            if (chunk.Truncations.Count > 0)
            {
                Learn(chunk.Truncations, peer.Name);
            }

            _metrics.Gossiped(chunk.Frame.Length);
            var frames = new List<PendingAppend>();
            var rest = chunk.Frame.Memory;
            while (rest.Length > 0)
            {
                int length = LogFrame.PeekLength(rest.Span);
                if (length == 0 || length > rest.Length)
                {
                    throw new LogFrameException($"{peer.Name} sent {rest.Length} bytes that are no log frame");
                }

                var frame = PendingAppend.Parse(rest[..length], session: null);
                rest = rest[length..];
                if (IsWanted(frame))
                {
                    frames.Add(frame);
                }
            }

            if (frames.Count > 0)
            {
                await Task.Run(() => Log.Append(frames), cancellation).ConfigureAwait(false);
                count += frames.Count;
                if (frames.FirstOrDefault(f => f.Refusal is not null) is { Refusal: { } refusal })
                {
                    throw refusal;
                }
            }
        }

        return count;
    }

    private bool IsWanted(PendingAppend frame)
    {
        lock (_gate)
        {
            return _core.CanTakeFromPeer(frame.Epoch) && frame.Marks[^1].End > _core.Chain.Scl
                && !_core.Chain.Waiting.Any(w => w.From == frame.From && w.Epoch == frame.Epoch && w.To >= frame.Marks[^1].End);
        }
    }

    private void WakeGossip()
    {
        if (_gossipSignal.CurrentCount == 0)
        {
            try
            {
                _gossipSignal.Release();
            }
            catch (SemaphoreFullException)
            {
                // Somebody else woke it.
            }
        }
    }
}
