using System.Buffers;
using Redoubt.Compute.Runtime;
using Redoubt.Protocol;

namespace Redoubt.Compute.Shipping;

/// <summary>The VDL for idle streams, and the horizon below which nobody reads any more.</summary>
public sealed partial class VolumeWriter
{
    private const int BeatMs = 20;
    private const int IdleBeatMs = 1000;
    private const int IdlePollMs = 50;
    private const int HorizonStepMs = 5_000;
    private const int HorizonAgeMs = 60_000;

    private readonly Queue<(long At, ulong Lsn)> _horizons = new();
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
            _heartbeatVdl = ulong.MaxValue; // who has just connected has heard nothing, and pages wait for it
            _streamsChanged.TrySetResult();
            _streamsChanged = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>Tells idle streams how far the VDL has come, so that segments apply; once a second in any case, to hear what they have applied.</summary>
    /// <returns>In how many milliseconds to call again.</returns>
    internal int Beat()
    {
        long now = Environment.TickCount64;
        for (int g = 0; g < _groups.Length; g++)
        {
            PageReadPoint(g); // moves it on, so that the horizon follows even when no page is read
        }

        KeepLease();

        Shipment[] beats;
        lock (_gate)
        {
            MoveHorizonLocked(now);
            long sinceBeat = now - _heartbeatAt;
            bool moved = _quorum.Vdl != _heartbeatVdl;
            if (sinceBeat < (moved ? BeatMs : IdleBeatMs))
            {
                return moved ? (int)(BeatMs - sinceBeat) : IdlePollMs;
            }

            _heartbeatVdl = _quorum.Vdl;
            _heartbeatAt = now;
            beats = new Shipment[_groups.Length];
            for (int g = 0; g < _groups.Length; g++)
            {
                byte[] buffer = ArrayPool<byte>.Shared.Rent(LogStream.BatchHeaderLength);
                LogStream.WriteBatchHeader(buffer, _quorum.Vdl, _quorum.GroupVdl(g), _gcHorizon, BootClock.NowMs, 0);
                beats[g] = new Shipment(buffer, LogStream.BatchHeaderLength);
            }
        }

        for (int g = 0; g < _groups.Length; g++)
        {
            foreach (var stream in _streams[g])
            {
                stream.Heartbeat(beats[g]);
            }

            beats[g].Release();
        }

        return BeatMs;
    }

    /// <summary>Page requests give up long before a minute: what the lowest read point was a minute ago nobody needs any more.</summary>
    private void MoveHorizonLocked(long now)
    {
        if (_horizons.Count == 0 || now - _horizons.Last().At > HorizonStepMs)
        {
            _horizons.Enqueue((now, LowestReadPointLocked()));
        }

        while (_horizons.Count > 0 && now - _horizons.Peek().At > HorizonAgeMs)
        {
            _gcHorizon = _horizons.Dequeue().Lsn;
        }
    }

    private ulong LowestReadPointLocked()
    {
        ulong lowest = _quorum.Vdl;
        for (int g = 0; g < _pagePoints.Length; g++)
        {
            // A group that has applied all it has reads as of the VDL, however long ago its last entry was.
            lowest = _pagePoints[g] < _quorum.GroupVdl(g) ? Math.Min(lowest, _pagePoints[g]) : lowest;
        }

        return lowest;
    }
}
