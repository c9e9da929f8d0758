using Redoubt.Compute.Shipping;
using Redoubt.Compute.Volume;

namespace Redoubt.Compute.Pages;

/// <summary>Which segments can serve reads of one kind, and how quick they have been.</summary>
public sealed class ReadTargets(VolumeWriter writer)
{
    private readonly SegmentLatency[][] _latencies = [.. writer.Streams.Select(g => g.Select(_ => new SegmentLatency()).ToArray())];

    /// <summary>The epoch that requests carry.</summary>
    public ulong Epoch => writer.Volume.Epoch;

    /// <summary>Where a group is read: see <see cref="VolumeWriter.PageReadPoint"/>.</summary>
    public ulong ReadPoint(int group) => writer.PageReadPoint(group);

    /// <summary>Segments that are complete at a read point, best first; those that must apply log before they can answer come last.</summary>
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
