using Redoubt.Protocol;
using Redoubt.Storage.Chain;

namespace Redoubt.Storage.Tests.Simulation;

/// <summary>A writer of the protocol, one step at a time: grant, find the end, truncate, complete a quorum, serve.</summary>
internal sealed class SimWriter(int id, ulong epoch, VolumeShape shape, Sabotage sabotage)
{
    private readonly Dictionary<int, (ulong End, TruncationHistory History)> _grants = [];
    private readonly HashSet<int> _truncated = [];
    private readonly ulong[] _acks = new ulong[shape.Copies];
    private readonly List<(ulong From, EntryMark Mark, long Content)> _entries = [];
    private readonly List<TruncationPoint> _earlier = [];
    private long _next;
    private int _partsLeft;

    public ulong Epoch => epoch;

    public bool Dead { get; set; }

    public bool Recovered { get; private set; }

    public bool Serving { get; private set; }

    public TruncationPoint Cut { get; private set; }

    public IReadOnlyList<TruncationPoint> Earlier => _earlier;

    public ulong Vdl { get; private set; }

    public ulong End => _entries.Count == 0 ? Cut.Above : _entries[^1].Mark.End;

    /// <summary>A segment granted the epoch.</summary>
    public void Granted(SimSegment segment)
    {
        if (Recovered)
        {
            return;
        }

        ulong mine = sabotage == Sabotage.EndInsideRecord ? segment.Core.Chain.Scl : segment.Core.Chain.RecordEnd;
        _grants[segment.Index] = (mine, segment.Core.Epochs.History);
        if (_grants.Count < Math.Max(shape.WriteQuorum, shape.ReadQuorum))
        {
            return;
        }

        var inForce = _grants.Values.Select(g => g.History).OrderByDescending(h => h.LastEpoch).First();
        _earlier.AddRange(inForce.Points);
        ulong end = 0;
        foreach (var (recordEnd, history) in _grants.Values)
        {
            ulong valid = recordEnd;
            foreach (var point in inForce.Points)
            {
                if (point.Epoch > history.LastEpoch && valid > point.Above)
                {
                    valid = point.GroupEnd;
                }
            }

            end = Math.Max(end, valid);
        }

        Cut = new TruncationPoint(epoch, end, end);
        Recovered = true;
    }

    /// <summary>A segment recorded the truncation.</summary>
    public void Truncated(SimSegment segment) => _truncated.Add(segment.Index);

    /// <summary>Looks whether a write quorum has the truncation and everything up to it.</summary>
    public void TryServe(IReadOnlyList<SimSegment> segments)
    {
        if (!Serving && Recovered && _truncated.Count >= shape.WriteQuorum
            && segments.Count(s => s.Up && _truncated.Contains(s.Index) && s.Core.Epochs.Epoch == epoch && s.Core.Chain.Scl >= Cut.Above) >= shape.WriteQuorum)
        {
            Serving = true;
            Vdl = Cut.Above;
        }
    }

    /// <summary>Makes the next entry: a record, or the next part of one.</summary>
    public void Make(Random random)
    {
        ulong from = End;
        ulong end = from + ((ulong)random.Next(1, 4) * 8);
        bool begins = _entries.Count == 0 || _entries[^1].Mark.EndsRecord;
        _partsLeft = begins ? (random.Next(4) == 0 ? random.Next(1, 9) : 0) : _partsLeft - 1;
        ulong start = begins ? from : _entries[^1].Mark.Start;
        _entries.Add((from, new EntryMark(start, end, _partsLeft == 0), ((long)epoch << 32) | ((long)id << 24) | _next++));
    }

    /// <summary>Some of the entries after a position, framed as it pleases.</summary>
    public SimFrame? FrameAfter(ulong position, Random random)
    {
        int first = _entries.FindIndex(e => e.Mark.End > position);
        if (first < 0)
        {
            return null;
        }

        first = Math.Max(0, first - random.Next(2));
        int count = random.Next(1, Math.Min(5, _entries.Count - first) + 1);
        var part = _entries.GetRange(first, count);
        return new SimFrame(epoch, part[0].From, [.. part.Select(e => e.Mark)], [.. part.Select(e => e.Content)]);
    }

    /// <summary>An acknowledgement; returns entries that became durable by it.</summary>
    public IEnumerable<(ulong End, long Content)> Acknowledge(int segment, ulong scl)
    {
        _acks[segment] = Math.Max(_acks[segment], scl);
        ulong durable = shape.QuorumPosition(_acks);
        ulong before = Vdl;
        ulong vdl = _entries.Where(e => e.Mark.EndsRecord && e.Mark.End <= durable).Select(e => e.Mark.End).DefaultIfEmpty(0UL).Max();
        if (!Serving || vdl <= Vdl)
        {
            return [];
        }

        Vdl = vdl;
        return [.. _entries.Where(e => e.Mark.End > before && e.Mark.End <= vdl).Select(e => (e.Mark.End, e.Content))];
    }
}
