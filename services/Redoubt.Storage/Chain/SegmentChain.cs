namespace Redoubt.Storage.Chain;

/// <summary>
/// The gap-free chain of a group's log as one segment holds it, and what waits beyond its gaps. Pure: it knows where frames lie, not what
/// is in them. Not thread-safe.
/// </summary>
/// <param name="readMarks">Reads a stored frame's entries again; needed only when a frame overlaps the end of the chain.</param>
public sealed class SegmentChain(Func<LogAddress, EntryMark[]> readMarks)
{
    private readonly List<LogRun> _runs = [];
    private ulong _waitingEnd;
    private readonly SortedDictionary<(ulong From, ulong Epoch, ulong To), LogRun> _waiting = [];

    /// <summary>Segment complete LSN: end of the gap-free chain.</summary>
    public ulong Scl { get; private set; }

    /// <summary>End of the last record that is whole in the chain: where recovery may end the log. <see cref="Scl"/>, or before it while a long record
    /// has not all come.</summary>
    public ulong RecordEnd { get; private set; }

    /// <summary>Start of the record that ends at <see cref="RecordEnd"/>.</summary>
    public ulong RecordStart { get; private set; }

    /// <summary>Where the chain that is still in log files begins; always a record's end.</summary>
    public ulong Base { get; private set; }

    /// <summary>Start of the record that ends at <see cref="Base"/>.</summary>
    public ulong BaseStart { get; private set; }

    /// <summary>Truncations that frames are checked against.</summary>
    public TruncationHistory History { get; private set; } = TruncationHistory.Empty;

    /// <summary>The chain, oldest first.</summary>
    public IReadOnlyList<LogRun> Runs => _runs;

    /// <summary>Runs beyond gaps, by where they begin.</summary>
    public IEnumerable<LogRun> Waiting => _waiting.Values;

    /// <summary>Number of <see cref="Waiting"/>.</summary>
    public int WaitingCount => _waiting.Count;

    /// <summary>Highest end of any entry held.</summary>
    public ulong DurableEnd => _waiting.Count == 0 ? Scl : Math.Max(Scl, _waitingEnd);

    /// <summary>Forgets everything; the chain begins at <paramref name="baseEnd"/> (0: at the beginning of the log).</summary>
    public void Reset(ulong baseEnd, ulong baseStart, TruncationHistory history)
    {
        _runs.Clear();
        _waiting.Clear();
        _waitingEnd = 0;
        Base = Scl = RecordEnd = baseEnd;
        BaseStart = RecordStart = baseStart;
        History = history;
    }

    /// <summary>Moves the beginning of the chain forward to a position that the page store covers; what waits may then fit.</summary>
    public void Rebase(ulong baseEnd, ulong baseStart)
    {
        if (baseEnd <= Scl)
        {
            return;
        }

        _runs.Clear();
        Base = Scl = RecordEnd = baseEnd;
        BaseStart = RecordStart = baseStart;
        DrainWaiting();
    }

    /// <summary>Takes a frame that is durable at <paramref name="at"/>.</summary>
    /// <param name="epoch">The frame's epoch.</param>
    /// <param name="from">PrevEnd of its first entry.</param>
    /// <param name="marks">Its entries, at least one.</param>
    /// <param name="at">Where it lies.</param>
    /// <exception cref="ChainException">The frame overlaps the chain's end but has no entry that continues it.</exception>
    public ChainOffer Offer(ulong epoch, ulong from, ReadOnlySpan<EntryMark> marks, LogAddress at)
    {
        ulong limit = History.Limit(epoch);
        int count = marks.Length;
        while (count > 0 && marks[count - 1].End > limit)
        {
            count--;
        }

        if (count == 0)
        {
            return ChainOffer.Void;
        }

        return Offer(new LogRun(from, ChainEnd.Of(marks[..count]), epoch, at), marks);
    }

    /// <summary>Takes a frame whose entries are not at hand, if they are not needed: it continues the chain, or waits, as a whole, or counts no more.</summary>
    /// <param name="epoch">The frame's epoch.</param>
    /// <param name="from">PrevEnd of its first entry.</param>
    /// <param name="end">Where it ends.</param>
    /// <param name="at">Where it lies.</param>
    /// <returns>False when nothing was done: <see cref="Offer(ulong, ulong, ReadOnlySpan{EntryMark}, LogAddress)"/> it with its entries.</returns>
    public bool TryOfferWhole(ulong epoch, ulong from, ChainEnd end, LogAddress at)
    {
        if (end.To > History.Limit(epoch) || (from < Scl && end.To > Scl))
        {
            return false;
        }

        Offer(new LogRun(from, end, epoch, at), []);
        return true;
    }

    /// <summary>Takes over a history: cuts the chain, and what waits, where it says that entries never happened.</summary>
    public void Rewrite(TruncationHistory history)
    {
        History = history;
        foreach (var run in _runs)
        {
            if (run.To > history.Limit(run.Epoch))
            {
                CutAt(history.Cut(run.Epoch));
                break;
            }
        }

        var waiting = _waiting.Values.ToArray();
        _waitingEnd = 0;
        foreach (var run in waiting)
        {
            ulong limit = history.Limit(run.Epoch);
            if (run.To <= limit)
            {
                _waitingEnd = Math.Max(_waitingEnd, run.To);
                continue;
            }

            _waiting.Remove((run.From, run.Epoch, run.To));
            if (run.From < limit && Clip(run, limit) is { } clipped)
            {
                Wait(clipped);
            }
        }

        DrainWaiting();
    }

    /// <summary>A stored frame turned out damaged: the chain ends before it, what follows waits until the gap is filled again.</summary>
    /// <returns>True when anything that counts was in it.</returns>
    public bool Damage(LogAddress at)
    {
        foreach (var run in _waiting.Values.ToArray())
        {
            if (run.At == at)
            {
                _waiting.Remove((run.From, run.Epoch, run.To));
                return true;
            }
        }

        int index = _runs.FindIndex(r => r.At == at);
        if (index < 0)
        {
            return false;
        }

        foreach (var later in _runs.Skip(index + 1))
        {
            Wait(later);
        }

        _runs.RemoveRange(index, _runs.Count - index);
        SetEnd();
        return true;
    }

    /// <summary>Forgets the beginning of the chain: all runs that lie in files up to <paramref name="lastFile"/> at its front.</summary>
    public void Trim(ulong lastFile)
    {
        int count = 0;
        while (count < _runs.Count && _runs[count].At.File <= lastFile)
        {
            count++;
        }

        if (count > 0)
        {
            var end = _runs[count - 1].End;
            if (end.RecordEnd != end.To)
            {
                throw new ChainException($"the log cannot begin at {end.To:X}, inside a record");
            }

            Base = end.To;
            BaseStart = end.RecordStart;
            _runs.RemoveRange(0, count);
        }
    }

    /// <summary>Where the chain would begin after <see cref="Trim"/>; null when that is inside a record, or nothing would go.</summary>
    public ChainEnd? TrimPoint(ulong lastFile)
    {
        ChainEnd? last = null;
        foreach (var run in _runs)
        {
            if (run.At.File > lastFile)
            {
                break;
            }

            last = run.End;
        }

        return last is { } end && end.RecordEnd == end.To ? end : null;
    }

    /// <summary>Index of the first run with entries that end above <paramref name="position"/>; <c>Runs.Count</c> when there is none.</summary>
    public int IndexAfter(ulong position)
    {
        int low = 0, high = _runs.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_runs[middle].To > position)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return low;
    }

    private static bool Continues(ReadOnlySpan<EntryMark> marks, ulong position)
    {
        foreach (var mark in marks)
        {
            if (mark.End >= position)
            {
                return mark.End == position;
            }
        }

        return false;
    }

    private bool IsOtherEpoch(ulong epoch, ulong end)
    {
        int index = IndexAfter(end - 1);
        return index < _runs.Count && _runs[index].From < end && _runs[index].Epoch != epoch;
    }

    private ChainOffer Offer(LogRun run, ReadOnlySpan<EntryMark> marks)
    {
        if (run.To <= Scl)
        {
            return IsOtherEpoch(run.Epoch, run.To) ? ChainOffer.OtherEpoch : ChainOffer.Duplicate;
        }

        if (run.From > Scl)
        {
            Wait(run);
            return ChainOffer.Kept;
        }

        if (run.From < Scl && !Continues(marks, Scl))
        {
            throw new ChainException(
                $"frame of epoch {run.Epoch} {run.From:X}…{run.To:X} overlaps the chain's end {Scl:X} but has no entry that continues it");
        }

        Extend(run);
        DrainWaiting();
        return ChainOffer.Extended;
    }

    private void Wait(LogRun run)
    {
        _waiting.TryAdd((run.From, run.Epoch, run.To), run);
        _waitingEnd = Math.Max(_waitingEnd, run.To);
    }

    private void Extend(LogRun run)
    {
        var counted = run with { From = Scl };
        _runs.Add(counted);
        Scl = counted.To;
        if (counted.EndsAnyRecord)
        {
            RecordEnd = counted.End.RecordEnd;
            RecordStart = counted.End.RecordStart;
        }
    }

    private void DrainWaiting()
    {
        bool moved = true;
        while (moved && _waiting.Count > 0)
        {
            moved = false;
            foreach (var (key, run) in _waiting)
            {
                if (run.From > Scl)
                {
                    break;
                }

                if (run.To <= Scl || (run.From < Scl && !Continues(readMarks(run.At), Scl)))
                {
                    _waiting.Remove(key);
                }
                else
                {
                    _waiting.Remove(key);
                    Extend(run);
                }

                moved = true;
                break;
            }
        }
    }

    private void CutAt(ulong end)
    {
        if (end < Base)
        {
            throw new ChainException($"a truncation to {end:X} lies below {Base:X}, where this segment's log begins");
        }

        int keep = IndexAfter(end);
        var bad = _runs[keep];
        _runs.RemoveRange(keep, _runs.Count - keep);
        if (bad.From < end && Clip(bad, end) is { } clipped)
        {
            _runs.Add(clipped);
        }

        SetEnd();
    }

    private LogRun? Clip(LogRun run, ulong limit)
    {
        var end = default(ChainEnd);
        foreach (var mark in readMarks(run.At))
        {
            if (mark.End <= limit && mark.End > run.From)
            {
                end = end.Then(mark);
            }
        }

        return end.To == 0 ? null : run with { End = end };
    }

    private void SetEnd()
    {
        Scl = _runs.Count == 0 ? Base : _runs[^1].To;
        int last = _runs.FindLastIndex(r => r.EndsAnyRecord);
        RecordEnd = last < 0 ? Base : _runs[last].End.RecordEnd;
        RecordStart = last < 0 ? BaseStart : _runs[last].End.RecordStart;
    }
}
