namespace Redoubt.Compute.Pages;

/// <summary>Which segments can serve reads of one kind, and how quick they have been.</summary>
public interface IReadTargets
{
    /// <summary>The epoch that requests carry.</summary>
    ulong Epoch { get; }

    /// <summary>Where a group is read: see <see cref="Shipping.VolumeWriter.PageReadPoint"/>.</summary>
    ulong ReadPoint(int group);

    /// <summary>Segments that are complete at a read point, best first; those that must apply log before they can answer come last.</summary>
    List<ReadTarget> Candidates(int group, ulong readPoint);
}
