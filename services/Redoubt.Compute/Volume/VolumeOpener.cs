using System.Globalization;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Wal;

namespace Redoubt.Compute.Volume;

/// <summary>
/// Opens a volume for writing: a new epoch granted by a write quorum of every group, the VDL recovered from those who granted it, everything above cut
/// off on a write quorum, and a write quorum complete up to it. Waits, and says for what, while too few segments answer.
/// </summary>
public sealed class VolumeOpener(VolumeShape shape, PgVersion version, IReadOnlyList<ISegment> segments, IVolumeOpenerEvents events, TimeProvider time)
{
    /// <summary>How long the loser of a race waits at first: opening takes a few calls, so most races end here.</summary>
    public static readonly TimeSpan FirstRaceDelay = TimeSpan.FromMilliseconds(100);

    /// <summary>And at most.</summary>
    public static readonly TimeSpan LongestRaceDelay = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan CatchUpTimeout = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan WaitDelay = TimeSpan.FromMilliseconds(60);
    private readonly Random _random = new();
    private string? _silence;   // why the last segment that did not answer did not

    /// <summary>The highest epoch that was asked for.</summary>
    public ulong HighestAsked { get; private set; }

    /// <summary>Opens the volume; returns when it may be served.</summary>
    /// <param name="mine">The highest epoch that this writer asked for in an earlier life; 0: it had none. Who had the volume does not take it back from
    /// a newer writer: that would be a duel without end.</param>
    /// <exception cref="VolumeMismatchException">The segments hold another shape or version.</exception>
    /// <exception cref="FencedException">A newer writer than <paramref name="mine"/> has the volume.</exception>
    public async Task<OpenedVolume> OpenAsync(ulong mine, CancellationToken cancellationToken)
    {
        HighestAsked = mine;
        var races = new OpenBackoff(FirstRaceDelay, LongestRaceDelay, _random);
        while (true)
        {
            TimeSpan delay;
            try
            {
                var granted = await GainEpochAsync(mine, cancellationToken).ConfigureAwait(false);
                if (await RecoverAsync(granted.Epoch, granted.Views, cancellationToken).ConfigureAwait(false) is { } opened)
                {
                    return opened;
                }

                delay = WaitDelay * (1 + _random.NextDouble());
            }
            catch (StaleEpochException e)
            {
                delay = races.Next();
                events.Raced(e.Message);
            }

            await Task.Delay(delay, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<(ulong Epoch, GroupView[] Views)> GainEpochAsync(ulong mine, CancellationToken cancellationToken)
    {
        while (true)
        {
            _silence = null;
            var states = await AskAllAsync(segments, (s, ct) => s.GetStateAsync(ct), CallTimeout, cancellationToken).ConfigureAwait(false);
            if (mine != 0 && states.FirstOrDefault(s => s.State.Epoch > HighestAsked) is { Segment: not null } newer)
            {
                throw new FencedException(mine, newer.State.Epoch, newer.Segment.Name);
            }

            RequireQuorumShape(states.Select(s => (s.Segment, s.State)));
            if (IsQuorum(states, out string missing))
            {
                ulong epoch = Math.Max(HighestAsked, states.Max(s => s.State.Epoch)) + 1;
                HighestAsked = epoch;
                var grants = await AskAllAsync(
                    [.. states.Select(s => s.Segment)], (s, ct) => s.OpenEpochAsync(epoch, ct), CallTimeout, cancellationToken).ConfigureAwait(false);
                if (IsQuorum(grants, out missing))
                {
                    return (epoch, [.. Enumerable.Range(0, shape.Groups).Select(g => GroupView.Of(g, grants.Where(x => x.Segment.Group == g)))]);
                }
            }

            events.WaitingForQuorum(missing);
            await Task.Delay(WaitDelay * (1 + _random.NextDouble()), time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<OpenedVolume?> RecoverAsync(ulong epoch, GroupView[] views, CancellationToken cancellationToken)
    {
        RecoveredEnd end;
        try
        {
            end = await FindEndAsync(epoch, views, cancellationToken).ConfigureAwait(false);
        }
        catch (SegmentUnavailableException e)
        {
            events.WaitingForQuorum(e.Message);
            return null;
        }

        if (end.Vdl < VdlRecovery.FirstRecord)
        {
            end = new RecoveredEnd(0, 0, new ulong[shape.Groups]); // an import that never finished never happened
        }

        events.Recovered(epoch, new Lsn(end.Vdl));
        var histories = new IReadOnlyList<Truncation>[shape.Groups];
        var cut = await AskAllAsync(
            [.. views.SelectMany(v => v.Members).Select(m => m.Segment)],
            (s, ct) => s.TruncateAsync(Cut(s.Group), views[s.Group].History, ct),
            CallTimeout,
            cancellationToken).ConfigureAwait(false);
        if (!IsQuorum(cut, out string missing))
        {
            events.WaitingForQuorum(missing);
            return null;
        }

        for (int g = 0; g < shape.Groups; g++)
        {
            histories[g] = [.. views[g].History, Cut(g)];
        }

        return await CompleteQuorumAsync(epoch, end, cut, cancellationToken).ConfigureAwait(false)
            ? new OpenedVolume(epoch, end, histories)
            : null;

        Truncation Cut(int group) => new() { Epoch = epoch, Above = end.Vdl, GroupEnd = end.GroupEnds[group] };
    }

    private async Task<RecoveredEnd> FindEndAsync(ulong epoch, GroupView[] views, CancellationToken cancellationToken)
    {
        if (shape.Groups == 1)
        {
            return new RecoveredEnd(views[0].HighestEnd, 0, [views[0].HighestEnd]);
        }

        ulong known = views.Max(v => v.KnownVdl);
        var entries = await Task.WhenAll(views.Select(v => EntriesAroundAsync(epoch, v, known, cancellationToken))).ConfigureAwait(false);
        return VdlRecovery.Walk(known, entries);
    }

    /// <summary>A group's valid entries from its last one at or below <paramref name="known"/> on: asks from further and further back until one is there.</summary>
    private static async Task<IReadOnlyList<LogPosition>> EntriesAroundAsync(
        ulong epoch, GroupView view, ulong known, CancellationToken cancellationToken)
    {
        var member = view.MostComplete;
        if (member.ValidEnd == 0)
        {
            return [];
        }

        for (ulong back = 1 << 20; ; back *= 16)
        {
            ulong from = known > back ? known - back : 0;
            var found = await member.Segment.FetchPositionsAsync(epoch, from, cancellationToken).ConfigureAwait(false);
            var valid = found.Where(e => e.End <= member.ValidEnd).ToArray();
            if (from <= member.State.LogStart || (valid.Length > 0 && valid[0].End <= known))
            {
                return valid;
            }
        }
    }

    private async Task<bool> CompleteQuorumAsync(
        ulong epoch, RecoveredEnd end, IReadOnlyList<(ISegment Segment, SegmentState State)> cut, CancellationToken cancellationToken)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        enough.CancelAfter(CatchUpTimeout);
        var complete = new int[shape.Groups];
        foreach (var (segment, state) in cut)
        {
            complete[segment.Group] += state.Scl >= end.GroupEnds[segment.Group] ? 1 : 0;
        }

        var pending = new List<Task<SegmentState>>();
        foreach (var (segment, state) in cut)
        {
            ulong target = end.GroupEnds[segment.Group];
            if (state.Scl >= target || complete[segment.Group] >= shape.WriteQuorum)
            {
                continue;
            }

            string[] peers = [.. cut.Where(c => c.Segment.Group == segment.Group && c.State.Scl >= target).Select(c => c.Segment.Endpoint)];
            events.CatchingUp(segment.Name, segment.Group, new Lsn(state.Scl), new Lsn(target));
            pending.Add(segment.CatchUpAsync(epoch, target, peers, enough.Token));
        }

        while (complete.Any(c => c < shape.WriteQuorum))
        {
            if (pending.Count == 0)
            {
                return false;
            }

            var done = await Task.WhenAny(pending).ConfigureAwait(false);
            pending.Remove(done);
            try
            {
                var state = await done.ConfigureAwait(false);
                int group = (int)state.Segment.Group;
                complete[group] += state.Scl >= end.GroupEnds[group] ? 1 : 0;
            }
            catch (Exception e) when (e is SegmentUnavailableException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                events.WaitingForQuorum(e.Message);
            }
        }

        // A slow copy goes on by gossip; its call is not waited for.
        foreach (var rest in pending)
        {
            _ = rest.ContinueWith(static t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        }

        return true;
    }

    /// <summary>Asks all at once. Waits for all up to the time limit, but for stragglers only briefly once every group has a write quorum.</summary>
    private async Task<List<(ISegment Segment, SegmentState State)>> AskAllAsync(
        IReadOnlyList<ISegment> whom, Func<ISegment, CancellationToken, Task<SegmentState>> ask, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(limit);
        var calls = whom.Select(async s => (Segment: s, State: await ask(s, timeout.Token).ConfigureAwait(false))).ToList();
        var answers = new List<(ISegment, SegmentState)>();
        StaleEpochException? stale = null;
        while (calls.Count > 0)
        {
            var done = await Task.WhenAny(calls).ConfigureAwait(false);
            calls.Remove(done);
            try
            {
                answers.Add(await done.ConfigureAwait(false));
                if (IsQuorum(answers, out _))
                {
                    timeout.CancelAfter(TimeSpan.FromMilliseconds(50));
                }
            }
            catch (StaleEpochException e)
            {
                stale = e;
            }
            catch (Exception e) when (e is SegmentUnavailableException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                events.NoAnswer(e.Message);
                _silence = e is SegmentUnavailableException ? e.Message : _silence;
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        return stale is null || IsQuorum(answers, out _) ? answers : throw stale;
    }

    private bool IsQuorum(IReadOnlyList<(ISegment Segment, SegmentState State)> answers, out string missing)
    {
        int need = Math.Max(shape.WriteQuorum, shape.ReadQuorum);
        for (int g = 0; g < shape.Groups; g++)
        {
            int have = answers.Count(a => a.Segment.Group == g);
            if (have < need)
            {
                var silent = segments.Where(s => s.Group == g && !answers.Any(a => a.Segment == s)).Select(s => s.Name);
                missing = string.Create(CultureInfo.InvariantCulture,
                    $"group {g}: {have} of {shape.Copies} segments answer, {need} are needed; silent: {string.Join(", ", silent)}{(_silence is null ? string.Empty : $" ({_silence})")}");
                return false;
            }
        }

        missing = string.Empty;
        return true;
    }

    private void RequireQuorumShape(IEnumerable<(ISegment Segment, SegmentState State)> states)
    {
        foreach (var (segment, s) in states)
        {
            if (s.Copies != 0 && (s.Copies != shape.Copies || s.WriteQuorum != shape.WriteQuorum || s.ReadQuorum != shape.ReadQuorum || s.Groups != shape.Groups))
            {
                throw new VolumeMismatchException(
                    $"{segment.Name} holds a volume of {s.Copies} copies with quorums {s.WriteQuorum}/{s.ReadQuorum} in {s.Groups} group(s), but {shape} is configured; these are fixed when a volume is made.");
            }

            if (s.PgVersion != 0 && s.PgVersion != (uint)version)
            {
                throw new VolumeMismatchException(
                    $"{segment.Name} holds a volume of PostgreSQL {s.PgVersion}, but version {(int)version} is configured; the version is fixed when a volume is made.");
            }
        }
    }
}
