using System.Buffers;
using Redoubt.Protocol;

namespace Redoubt.Compute.Shipping;

/// <summary>The VDL for idle streams, and the horizon below which nobody reads any more.</summary>
public sealed partial class VolumeWriter
{
    private const int BeatMs = 20;
    private const int IdleBeatMs = 1000;
    private const int HorizonStepMs = 5_000;
    private const int HorizonAgeMs = 60_000;

    private readonly Queue<(long At, ulong Vdl)> _horizons = new();
    private Timer? _heartbeat;
    private TaskCompletionSource _streamsChanged = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ulong _heartbeatVdl;
    private long _heartbeatAt;
    private ulong _gcHorizon;

    /// <summary>Completes the next time a stream connects.</summary>
    public Task WhenStreamsChange
    {
        get
        {
            lock (_gate)
            {
                return _streamsChanged.Task;
            }
        }
    }

    internal void StreamsChanged()
    {
        lock (_gate)
        {
            _streamsChanged.TrySetResult();
            _streamsChanged = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    private void StartHeartbeat() => _heartbeat = new Timer(_ => Beat(), null, BeatMs, BeatMs);

    /// <summary>Tells idle streams how far the VDL has come, so that segments apply; once a second in any case, to hear what they have applied.</summary>
    private void Beat()
    {
        long now = Environment.TickCount64;
        var beats = new Shipment?[_groups.Length];
        lock (_gate)
        {
            MoveHorizonLocked(now);
            if (_quorum.Vdl == _heartbeatVdl && now - _heartbeatAt < IdleBeatMs)
            {
                return;
            }

            _heartbeatVdl = _quorum.Vdl;
            _heartbeatAt = now;
            for (int g = 0; g < _groups.Length; g++)
            {
                byte[] buffer = ArrayPool<byte>.Shared.Rent(LogStream.BatchHeaderLength);
                LogStream.WriteBatchHeader(buffer, _quorum.Vdl, _quorum.GroupVdl(g), _gcHorizon, 0);
                beats[g] = new Shipment(buffer, LogStream.BatchHeaderLength);
            }
        }

        for (int g = 0; g < _groups.Length; g++)
        {
            foreach (var stream in _streams[g])
            {
                stream.Heartbeat(beats[g]!);
            }

            beats[g]!.Release();
        }
    }

    /// <summary>Page requests read at the VDL of their moment and give up long before a minute: what the VDL was a minute ago nobody needs any more.</summary>
    private void MoveHorizonLocked(long now)
    {
        if (_horizons.Count == 0 || now - _horizons.Last().At > HorizonStepMs)
        {
            _horizons.Enqueue((now, _quorum.Vdl));
        }

        while (_horizons.Count > 0 && now - _horizons.Peek().At > HorizonAgeMs)
        {
            _gcHorizon = _horizons.Dequeue().Vdl;
        }
    }
}
