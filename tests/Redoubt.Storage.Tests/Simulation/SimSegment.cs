using Redoubt.Storage.Chain;

namespace Redoubt.Storage.Tests.Simulation;

/// <summary>A frame as a simulated disk or message holds it: contents are numbers.</summary>
internal sealed record SimFrame(ulong Epoch, ulong From, EntryMark[] Marks, long[] Contents);

/// <summary>What can be switched off to show that the simulation notices.</summary>
internal enum Sabotage
{
    None,

    /// <summary>Epochs are granted but not persisted.</summary>
    ForgetEpochs,

    /// <summary>Frames are acknowledged before they are durable.</summary>
    AckBeforeSync,

    /// <summary>Truncations are recorded but the chain is not cut.</summary>
    KeepStaleSuffix,

    /// <summary>Recovery ends the log where the furthest copy stands, be it inside a record.</summary>
    EndInsideRecord,
}

/// <summary>A segment: the production <see cref="SegmentCore"/> over a simulated disk that loses what was not synced.</summary>
internal sealed class SimSegment
{
    private readonly Sabotage _sabotage;
    private readonly List<SimFrame> _disk = [];
    private readonly List<(ulong Writer, SimFrame Frame)> _unsynced = [];
    private EpochState _persisted = EpochState.Blank;

    public SimSegment(int index, Sabotage sabotage)
    {
        Index = index;
        _sabotage = sabotage;
        Core = NewCore();
    }

    public int Index { get; }

    public bool Up { get; private set; } = true;

    public SegmentCore Core { get; private set; }

    public void Crash()
    {
        Up = false;
        _unsynced.Clear();
    }

    public void Restart()
    {
        Up = true;
        Core = NewCore();
        Core.Load(_persisted, 0, 0);
        for (int i = 0; i < _disk.Count; i++)
        {
            Core.Recover(_disk[i].Epoch, _disk[i].From, _disk[i].Marks, At(i));
        }
    }

    public void Grant(ulong epoch) => Adopt(Core.Epochs.Grant(epoch), persist: _sabotage != Sabotage.ForgetEpochs);

    public void Truncate(TruncationPoint point, IReadOnlyList<TruncationPoint> earlier)
    {
        var next = Core.Epochs.Truncate(point, earlier);
        Core.CheckTruncation(point, 0);
        Adopt(next, persist: true);
    }

    public void Learn(TruncationHistory history)
    {
        if (Core.Epochs.Learn(history) is { } next)
        {
            Adopt(next, persist: true);
        }
    }

    /// <summary>A writer's frame arrives; it is durable only after <see cref="Sync"/>.</summary>
    /// <returns>SCL to acknowledge at once; 0 for none (the rule).</returns>
    public ulong Receive(ulong writer, ulong vdl, SimFrame? frame)
    {
        Core.RequireWriter(writer);
        Core.HearVdl(writer, vdl, vdl);
        if (frame is null)
        {
            return Core.Chain.Scl;
        }

        _unsynced.Add((writer, frame));
        if (_sabotage != Sabotage.AckBeforeSync)
        {
            return 0;
        }

        return frame.From <= Core.Chain.Scl ? Math.Max(Core.Chain.Scl, frame.Marks[^1].End) : Core.Chain.Scl;
    }

    /// <summary>One fdatasync.</summary>
    /// <returns>Acknowledgements per writer that is still obeyed.</returns>
    public List<(ulong Writer, ulong Scl)> Sync()
    {
        var acks = new HashSet<ulong>();
        foreach (var (writer, frame) in _unsynced)
        {
            _disk.Add(frame);
            try
            {
                if (writer == 0)
                {
                    Core.OfferFromPeer(frame.Epoch, frame.From, frame.Marks, At(_disk.Count - 1));
                }
                else
                {
                    Core.OfferFromWriter(writer, frame.Epoch, frame.From, frame.Marks, At(_disk.Count - 1));
                    acks.Add(writer);
                }
            }
            catch (EpochRefusedException)
            {
                // Fenced between arrival and fsync: on disk, never acknowledged.
            }
            catch (SegmentNotReadyException)
            {
            }
        }

        _unsynced.Clear();
        return [.. acks.Where(w => w == Core.Epochs.Epoch).Select(w => (w, Core.Chain.Scl))];
    }

    /// <summary>Takes a peer's log, as gossip does: truncations first.</summary>
    public void FetchFrom(SimSegment peer)
    {
        Learn(peer.Core.Epochs.History);
        foreach (var frame in peer.FramesFrom(Core.Chain.Scl))
        {
            if (Core.CanTakeFromPeer(frame.Epoch))
            {
                _unsynced.Add((0, frame));
            }
        }
    }

    /// <summary>Contents by end of everything in the chain.</summary>
    public Dictionary<ulong, long> Contents() => Entries().ToDictionary(e => e.Mark.End, e => e.Content);

    /// <summary>What is wrong with how the chain's records follow each other; null when every record that is begun goes on until it ends, and only the
    /// last one may lack parts.</summary>
    public string? BrokenRecord()
    {
        ulong? unfinished = null;
        ulong prev = 0, recordEnd = 0, recordStart = 0;
        foreach (var (mark, _) in Entries())
        {
            if (mark.Start != (unfinished ?? prev))
            {
                return $"entry {mark} follows {prev:X}, {(unfinished is null ? "where a record ended" : $"inside the record {unfinished:X}")}";
            }

            unfinished = mark.EndsRecord ? null : mark.Start;
            prev = mark.End;
            (recordStart, recordEnd) = mark.EndsRecord ? (mark.Start, mark.End) : (recordStart, recordEnd);
        }

        return (recordStart, recordEnd) == (Core.Chain.RecordStart, Core.Chain.RecordEnd)
            ? null
            : $"the last whole record is {recordStart:X}…{recordEnd:X}, the chain says {Core.Chain.RecordStart:X}…{Core.Chain.RecordEnd:X}";
    }

    private IEnumerable<(EntryMark Mark, long Content)> Entries()
    {
        foreach (var run in Core.Chain.Runs)
        {
            var frame = _disk[run.At.Offset];
            for (int i = 0; i < frame.Marks.Length; i++)
            {
                if (frame.Marks[i].End > run.From && frame.Marks[i].End <= run.To)
                {
                    yield return (frame.Marks[i], frame.Contents[i]);
                }
            }
        }
    }

    private IEnumerable<SimFrame> FramesFrom(ulong from)
    {
        foreach (var run in Core.Chain.Runs.Where(r => r.To > from).Concat(Core.Chain.Waiting.Where(r => r.To > from)))
        {
            var frame = _disk[run.At.Offset];
            int first = Array.FindIndex(frame.Marks, m => m.End > Math.Max(from, run.From));
            int last = Array.FindLastIndex(frame.Marks, m => m.End <= run.To);
            if (first < 0 || last < first)
            {
                continue;
            }

            yield return new SimFrame(frame.Epoch, first == 0 ? frame.From : frame.Marks[first - 1].End,
                frame.Marks[first..(last + 1)], frame.Contents[first..(last + 1)]);
        }
    }

    private void Adopt(EpochState next, bool persist)
    {
        if (persist)
        {
            _persisted = next;
        }

        if (_sabotage == Sabotage.KeepStaleSuffix && !ReferenceEquals(next.History, Core.Epochs.History))
        {
            // Takes the epoch without looking at its chain again.
            var blind = NewCore();
            blind.Load(new EpochState(next.Epoch, new TruncationHistory([new TruncationPoint(next.Epoch, ulong.MaxValue, ulong.MaxValue)])), 0, 0);
            for (int i = 0; i < _disk.Count; i++)
            {
                try
                {
                    blind.Recover(_disk[i].Epoch, _disk[i].From, _disk[i].Marks, At(i));
                }
                catch (ChainException)
                {
                }
            }

            Core = blind;
            return;
        }

        Core.Adopt(next);
    }

    private SegmentCore NewCore() => new(at => _disk[at.Offset].Marks);

    private static LogAddress At(int index) => new(1, index, 1);
}
