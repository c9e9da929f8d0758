using Redoubt.Protocol;
using Redoubt.Storage.Chain;

namespace Redoubt.Storage.Tests.Simulation;

/// <summary>
/// One random history of the protocol from a seed: writers come, race, die; messages are lost, late, repeated, out of order; segments crash with
/// what they had not synced, restart, gossip. After every acknowledgement, and at the end, what was acknowledged must be there.
/// </summary>
internal sealed class Simulation
{
    private readonly Random _random;
    private readonly VolumeShape _shape;
    private readonly Sabotage _sabotage;
    private readonly List<SimSegment> _segments;
    private readonly List<SimWriter> _writers = [];
    private readonly List<(Action Deliver, int Hops)> _messages = [];
    private readonly Dictionary<ulong, (long Content, ulong Epoch)> _acked = [];

    public Simulation(int seed, int copies, Sabotage sabotage = Sabotage.None)
    {
        _random = new Random(seed);
        _shape = VolumeShape.ForCopies(copies);
        _sabotage = sabotage;
        _segments = [.. Enumerable.Range(0, copies).Select(i => new SimSegment(i, sabotage))];
    }

    /// <summary>Entries acknowledged to clients.</summary>
    public int Acked => _acked.Count;

    /// <summary>Writers that served.</summary>
    public int Served => _writers.Count(w => w.Serving);

    public void Run(int steps)
    {
        for (int i = 0; i < steps; i++)
        {
            Step();
        }

        // Peace: everybody is up, no writer but one last; it must find everything.
        foreach (var segment in _segments.Where(s => !s.Up))
        {
            segment.Restart();
        }

        _messages.Clear();
        foreach (var writer in _writers)
        {
            writer.Dead = true;
        }

        foreach (var segment in _segments)
        {
            string? broken = segment.BrokenRecord();
            Require(broken is null, $"segment {segment.Index}: {broken}");
        }

        var last = NewWriter();
        for (int i = 0; i < 50 && !last.Serving; i++)
        {
            foreach (var segment in _segments)
            {
                Call(() => Open(last, segment));
                Call(() => Truncate(last, segment));
            }

            foreach (var segment in _segments)
            {
                foreach (var peer in _segments.Where(p => p != segment))
                {
                    Call(() => segment.FetchFrom(peer));
                }

                segment.Sync();
            }

            last.TryServe(_segments);
        }

        Require(last.Serving, "in peace the last writer cannot serve");
        Require(_acked.Count == 0 || last.Vdl >= _acked.Keys.Max(), $"recovered {last.Vdl:X}, but {_acked.Keys.DefaultIfEmpty().Max():X} was acknowledged");
        foreach (var segment in _segments.Where(s => s.Core.Chain.Scl >= last.Vdl && s.Core.Epochs.Epoch == last.Epoch))
        {
            Require(segment.Core.Chain.RecordEnd == segment.Core.Chain.Scl, $"segment {segment.Index}: the recovered log ends inside a record");
            var contents = segment.Contents();
            foreach (var (end, (content, epoch)) in _acked)
            {
                Require(contents.TryGetValue(end, out long found) && found == content,
                    $"segment {segment.Index}: entry {end:X} was acknowledged in epoch {epoch} as {content:X}, the chain has {found:X}");
            }
        }
    }

    private void Step()
    {
        switch (_random.Next(1000))
        {
            case < 4 when _writers.Count(w => !w.Dead) < 3:
                NewWriter();
                break;
            case < 6 when _writers.Count > 1:
                _writers[_random.Next(_writers.Count)].Dead = true;
                break;
            case < 14:
                var victim = Pick();
                if (victim.Up && _segments.Count(s => !s.Up) <= _shape.Copies - _shape.WriteQuorum)
                {
                    victim.Crash();
                }

                break;
            case < 60:
                if (Pick() is { Up: false } down)
                {
                    down.Restart();
                }

                break;
            case < 200:
                Drive();
                break;
            case < 250:
                var (to, from) = (Pick(), Pick());
                if (to != from && to.Up && from.Up)
                {
                    Call(() => to.FetchFrom(from));
                }

                break;
            case < 450:
                var syncing = Pick();
                if (syncing.Up)
                {
                    foreach (var (writer, scl) in syncing.Sync())
                    {
                        Post(() => Acknowledge(writer, syncing.Index, scl));
                    }
                }

                break;
            default:
                Deliver();
                break;
        }
    }

    private void Drive()
    {
        var alive = _writers.Where(w => !w.Dead).ToArray();
        if (alive.Length == 0)
        {
            return;
        }

        var writer = alive[_random.Next(alive.Length)];
        writer.TryServe(_segments);
        if (writer.Serving && _random.Next(2) == 0)
        {
            writer.Make(_random);
        }

        foreach (var segment in _segments)
        {
            if (segment.Core.Epochs.Epoch < writer.Epoch)
            {
                Post(() => Open(writer, segment));
            }

            if (writer.Recovered && segment.Core.Epochs.History.LastEpoch < writer.Epoch)
            {
                Post(() => Truncate(writer, segment));
            }

            if (writer.Serving)
            {
                ulong vdl = writer.Vdl;
                var frame = writer.FrameAfter(segment.Up ? segment.Core.Chain.Scl : 0, _random);
                Post(() =>
                {
                    ulong scl = segment.Receive(writer.Epoch, vdl, frame);
                    if (scl > 0)
                    {
                        Post(() => Acknowledge(writer.Epoch, segment.Index, scl));
                    }
                }, segment);
            }
        }
    }

    private void Open(SimWriter writer, SimSegment segment)
    {
        if (segment.Up && !writer.Dead && segment.Core.Epochs.Epoch < writer.Epoch)
        {
            segment.Grant(writer.Epoch);
            writer.Granted(segment);
        }
    }

    private static void Truncate(SimWriter writer, SimSegment segment)
    {
        if (segment.Up && !writer.Dead && writer.Recovered && segment.Core.Epochs.Epoch <= writer.Epoch)
        {
            segment.Truncate(writer.Cut, writer.Earlier);
            writer.Truncated(segment);
        }
    }

    private void Acknowledge(ulong epoch, int segment, ulong scl)
    {
        foreach (var writer in _writers.Where(w => w.Epoch == epoch && !w.Dead))
        {
            foreach (var (end, content) in writer.Acknowledge(segment, scl))
            {
                Require(!_acked.TryGetValue(end, out var other) || other.Content == content,
                    $"entry {end:X} acknowledged twice: {content:X} in epoch {epoch}, {other.Content:X} in epoch {other.Epoch}");
                _acked[end] = (content, epoch);
                var newer = _writers.Where(w => w.Epoch > epoch && w.Serving).ToArray();
                Require(newer.All(w => w.Cut.Above >= end), $"epoch {epoch} got {end:X} acknowledged after a newer writer began to serve without it");
            }
        }
    }

    private SimWriter NewWriter()
    {
        // Epochs are unique: a writer counts only grants, and every segment grants an epoch once.
        ulong epoch = Math.Max(_writers.Select(w => w.Epoch).DefaultIfEmpty().Max(), _segments.Max(s => s.Core.Epochs.Epoch)) + 1;
        var writer = new SimWriter(_writers.Count, epoch, _shape, _sabotage);
        _writers.Add(writer);
        return writer;
    }

    private void Post(Action deliver, SimSegment? to = null)
    {
        if (_random.Next(10) != 0 && _messages.Count < 500)
        {
            _messages.Add((() =>
            {
                if (to is null || to.Up)
                {
                    deliver();
                }
            }, 0));
        }
    }

    private void Deliver()
    {
        if (_messages.Count == 0)
        {
            return;
        }

        int index = _random.Next(3) == 0 ? _random.Next(_messages.Count) : 0;
        var message = _messages[index];
        if (_random.Next(20) != 0 || message.Hops > 2)
        {
            _messages.RemoveAt(index);
        }
        else
        {
            _messages[index] = (message.Deliver, message.Hops + 1);
        }

        Call(message.Deliver);
    }

    private static void Call(Action call)
    {
        try
        {
            call();
        }
        catch (Exception e) when (e is EpochRefusedException or SegmentNotReadyException)
        {
            // Refusals are the protocol at work.
        }
    }

    private SimSegment Pick() => _segments[_random.Next(_segments.Count)];

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new SimulationException(message);
        }
    }
}

/// <summary>An invariant of the protocol was broken.</summary>
internal sealed class SimulationException(string message) : Exception(message);
