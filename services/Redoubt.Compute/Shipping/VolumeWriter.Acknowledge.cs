using System.Diagnostics;
using Redoubt.Wal;

namespace Redoubt.Compute.Shipping;

/// <content>What the copies say: moves the quorum and the VDL, reports it, drops what nobody needs any more, sends what was gathered meanwhile.</content>
public sealed partial class VolumeWriter
{
    /// <summary>A copy connects with this SCL: where its sending continues.</summary>
    internal long Resume(SegmentStream stream, GroupLog log, ulong scl)
    {
        lock (_gate)
        {
            _quorum.Acknowledge(stream.Segment.Group, stream.Segment.Copy, scl);
            return log.SequenceAfter(scl);
        }
    }

    /// <summary>True while a shipment is not on a write quorum.</summary>
    private bool AwaitsQuorum()
    {
        lock (_gate)
        {
            for (int g = 0; g < _groups.Length; g++)
            {
                if (_quorumSequence[g] < _groups[g].NextSequence)
                {
                    return true;
                }
            }

            return false;
        }
    }

    internal void Acknowledge(SegmentStream stream, Lsn scl)
    {
        int g = stream.Segment.Group;
        ulong moved = 0;
        bool shipped = false;
        lock (_gate)
        {
            if (_fenced is not null)
            {
                return;
            }

            // A connecting copy moves the quorum without reporting it; so compare with what was reported, not with what was.
            _quorum.Acknowledge(g, stream.Segment.Copy, scl.Value);
            TrimLocked(g);
            if (_groups[g].HasGathered && MayShip(g))
            {
                ShipLocked(g);
                shipped = true;
            }

            if (_quorum.Vdl > _reportedVdl)
            {
                moved = _reportedVdl = _quorum.Vdl;
                CompleteWaiters(moved);
            }
        }

        if (moved != 0)
        {
            VdlMoved?.Invoke(moved);
        }

        if (shipped)
        {
            Pump(g);
        }
    }

    private void TrimLocked(int g)
    {
        ulong everyone = ulong.MaxValue;
        for (int copy = 0; copy < _shape.Copies; copy++)
        {
            everyone = Math.Min(everyone, _quorum.Position(g, copy));
        }

        ulong durable = _quorum.GroupDurable(g);
        long now = 0;
        while (_groups[g].Peek(_quorumSequence[g]) is { } shipment && shipment.End <= durable)
        {
            now = now == 0 ? Stopwatch.GetTimestamp() : now;
            _timings.AtQuorum(shipment, now);
            _quorumSequence[g]++;
        }

        _groups[g].Trim(everyone, durable, _window / 2 / _groups.Length);
        if (_waitingForRoom && KeptBytesLocked() < _window)
        {
            _waitingForRoom = false;
            _room.Release();
        }
    }

    private void CompleteWaiters(ulong vdl)
    {
        for (int i = _waiters.Count - 1; i >= 0; i--)
        {
            if (_waiters[i].Lsn <= vdl)
            {
                _waiters[i].Reached.TrySetResult();
                _waiters.RemoveAt(i);
            }
        }
    }
}
