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

    /// <summary>Highest valid SCL among the members; 0 when the group is empty.</summary>
    public ulong HighestScl => Members.Count == 0 ? 0 : Members.Max(m => m.ValidScl);

    /// <summary>Highest VDL that any member heard of.</summary>
    public ulong KnownVdl => Members.Count == 0 ? 0 : Members.Max(m => m.State.Vdl);

    /// <summary>The member whose valid log goes furthest; one with an unbroken view of it first.</summary>
    public Member MostComplete => Members.OrderByDescending(m => m.ValidScl).ThenBy(m => m.State.Scl).First();

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
        return new GroupView(group, [.. all.Select(a => new Member(a.Segment, a.State, ValidScl(a.State, history)))], history);
    }

    /// <summary>How far a state's log is valid under a list of truncations in force.</summary>
    public static ulong ValidScl(SegmentState state, IReadOnlyList<Truncation> history)
    {
        ulong known = state.Truncations.Count == 0 ? 0 : state.Truncations.Max(t => t.Epoch);
        ulong scl = state.Scl;
        foreach (var truncation in history)
        {
            if (truncation.Epoch > known && scl > truncation.Above)
            {
                scl = truncation.GroupEnd;
            }
        }

        return scl;
    }

    /// <summary>One answer.</summary>
    /// <param name="Segment">Who.</param>
    /// <param name="State">What it said.</param>
    /// <param name="ValidScl">Its SCL, cut where truncations in force cut it.</param>
    public sealed record Member(ISegment Segment, SegmentState State, ulong ValidScl);
}
