using Redoubt.Protocol.V1;

namespace Redoubt.Compute.Volume;

/// <summary>What the segments of one group say, made comparable: which truncations are in force, and how far each copy's valid log goes.</summary>
/// <remarks>
/// Truncations in force are those of the segment that took part in the newest one. A truncation that only an unfinished recovery knew is either in
/// that list (then everything since built on it) or void. A segment that missed a truncation may hold entries that never happened: its log
/// counts only up to where the truncation cut.
/// </remarks>
public sealed class GroupView
{
    private GroupView(int group, IReadOnlyList<Member> members, IReadOnlyList<Truncation> history)
    {
        Group = group;
        Members = members;
        History = history;
    }

    public int Group { get; }

    public IReadOnlyList<Member> Members { get; }

    /// <summary>Truncations in force, oldest first.</summary>
    public IReadOnlyList<Truncation> History { get; }

    /// <summary>Highest end of a valid whole record among the members; 0 when the group is empty.</summary>
    public ulong HighestEnd => Members.Count == 0 ? 0 : Members.Max(m => m.ValidEnd);

    /// <summary>Highest VDL that any member heard of.</summary>
    public ulong KnownVdl => Members.Count == 0 ? 0 : Members.Max(m => m.State.Vdl);

    /// <summary>The member whose valid log goes furthest; one with an unbroken view of it first.</summary>
    public Member MostComplete => Members.OrderByDescending(m => m.ValidEnd).ThenBy(m => m.State.Scl).First();

    /// <summary>Builds the view from the states of those who answered.</summary>
    public static GroupView Of(int group, IEnumerable<(ISegment Segment, SegmentState State)> answers)
    {
        var all = answers.ToArray();
        IReadOnlyList<Truncation> history = all
            .Select(a => a.State.Truncations)
            .OrderByDescending(t => t.Count == 0 ? 0 : t.Max(x => x.Epoch))
            .ThenByDescending(t => t.Count)
            .Select(t => t.OrderBy(x => x.Epoch).ToArray())
            .FirstOrDefault() ?? [];
        return new GroupView(group, [.. all.Select(a => new Member(a.Segment, a.State, ValidEnd(a.Segment.Name, a.State, history)))], history);
    }

    /// <summary>Where a state's last whole record ends that is valid under a list of truncations in force. Its SCL may be further, inside a record of
    /// which not all parts came: nobody was ever told that such a record is durable.</summary>
    /// <exception cref="VolumeMismatchException">The segment's program does not know of records in parts.</exception>
    private static ulong ValidEnd(string name, SegmentState state, IReadOnlyList<Truncation> history)
    {
        if (state.Scl != 0 && state.RecordEnd == 0)
        {
            throw new VolumeMismatchException(
                $"{name} does not say where its last whole record ends: its program is older than this one; run the same version everywhere.");
        }

        ulong known = state.Truncations.Count == 0 ? 0 : state.Truncations.Max(t => t.Epoch);
        ulong end = state.RecordEnd;
        foreach (var truncation in history)
        {
            if (truncation.Epoch > known && end > truncation.Above)
            {
                end = truncation.GroupEnd;
            }
        }

        return end;
    }

    /// <summary>One answer.</summary>
    /// <param name="Segment">Who.</param>
    /// <param name="State">What it said.</param>
    /// <param name="ValidEnd">End of its last whole record, cut where truncations in force cut it.</param>
    public sealed record Member(ISegment Segment, SegmentState State, ulong ValidEnd);
}
