using Redoubt.Compute.Shipping;
using Redoubt.Compute.Volume;

namespace Redoubt.Compute.Pages;

/// <summary>The writer's own knowledge of its segments.</summary>
public sealed class ReadTargets(VolumeWriter writer) : IReadTargets
{
    private readonly SegmentLatency[][] _latencies = [.. writer.Streams.Select(g => g.Select(_ => new SegmentLatency()).ToArray())];

    /// <inheritdoc/>
    public ulong Epoch => writer.Volume.Epoch;

    /// <inheritdoc/>
    public ulong ReadPoint(int group) => writer.PageReadPoint(group);

    /// <inheritdoc/>
    public List<ReadTarget> Candidates(int group, ulong readPoint)
    {
        var found = new List<ReadTarget>(writer.Streams[group].Count);
        for (int copy = 0; copy < writer.Streams[group].Count; copy++)
        {
            var stream = writer.Streams[group][copy];
            if (stream.IsConnected && writer.Scl(group, copy) >= readPoint)
            {
                found.Add(new ReadTarget(stream.Segment, _latencies[group][copy], stream.Applied < readPoint));
            }
        }

        found.Sort(static (a, b) => a.MustApply != b.MustApply ? a.MustApply.CompareTo(b.MustApply) : a.Latency.Score.CompareTo(b.Latency.Score));
        return found;
    }
}

/// <summary>A segment that can serve a read.</summary>
/// <param name="Segment">It.</param>
/// <param name="Latency">How quick it has been.</param>
/// <param name="MustApply">It has to apply log first.</param>
public readonly record struct ReadTarget(GrpcSegment Segment, SegmentLatency Latency, bool MustApply);
