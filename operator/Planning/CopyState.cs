using k8s.Models;

namespace Redoubt.Operator.Planning;

/// <summary>One copy as observed.</summary>
/// <param name="Index">From 0.</param>
/// <param name="Name">Name of its pod and its volume.</param>
/// <param name="Zone">Its zone, null when zones are unknown.</param>
/// <param name="Claim">Its volume, null when there is none.</param>
/// <param name="Pod">Its pod, null when there is none.</param>
/// <param name="Report">What its process says; null when it was never asked.</param>
/// <param name="Lagging">Groups whose segment here is behind as the writer sees it.</param>
public sealed record CopyState(
    int Index, string Name, string? Zone, V1PersistentVolumeClaim? Claim, V1Pod? Pod, PodReport? Report, IReadOnlySet<int> Lagging)
{
    public bool IsReady => Pod is not null && Pod.IsReady();

    /// <summary>Whether the process answers now.</summary>
    public bool Answers => Pod is not null && !Pod.IsTerminating() && Report is { IsReachable: true, Storage: not null };

    /// <summary>What the segment of a group says, if the process answers.</summary>
    public SegmentReport? Segment(int group) => Answers ? Report!.Storage!.Segments.FirstOrDefault(s => s.Group == group) : null;

    /// <summary>Whether every segment that it holds has everything up to the volume durable LSN.</summary>
    public bool IsComplete(int groups) => IsReady && Enumerable.Range(0, groups).All(SegmentIsComplete);

    /// <summary>Whether the segment of one group is complete, by its own word and the writer's.</summary>
    private bool SegmentIsComplete(int group) => Segment(group)?.State == "complete" && !Lagging.Contains(group);


    /// <summary>Whether the segment of a group takes log.</summary>
    /// <param name="group">The group.</param>
    /// <param name="isNew">Whether no writer has opened the volume yet: then the segments still wait to join it.</param>
    public bool TakesLog(int group, bool isNew) => IsReady && (Segment(group)?.State is "complete" or "behind" || (isNew && Segment(group)?.State == "repairing"));
}
