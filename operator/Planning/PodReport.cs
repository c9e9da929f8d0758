using Redoubt.Wal;

namespace Redoubt.Operator.Planning;

/// <summary>The newest answer of a pod's process, and since when it does not answer.</summary>
/// <param name="Storage">Of a storage pod: its last answer.</param>
/// <param name="Compute">Of a compute pod: its last answer.</param>
/// <param name="UnreachableSince">UTC; null while it answers.</param>
/// <param name="EarlierVdl">Of a compute pod: the VDL in the answer before this one.</param>
public sealed record PodReport(StorageReport? Storage, ComputeReport? Compute, DateTime? UnreachableSince, string? EarlierVdl = null)
{
    public bool IsReachable => UnreachableSince is null;

    /// <summary>
    /// Segments that a running writer has not on its stream, or whose log ends before the VDL of a second ago. A segment that
    /// has just started believes itself complete until somebody tells it of newer log; the writer knows better.
    /// </summary>
    public IEnumerable<(string Name, int Group)> Lagging()
    {
        if (!IsReachable || Compute is not { State: "ready", Segments: { } segments })
        {
            yield break;
        }

        foreach (var segment in segments)
        {
            if (!segment.Connected || (Lsn.TryParse(EarlierVdl, out var vdl) && Lsn.TryParse(segment.Scl, out var scl) && scl < vdl))
            {
                yield return (segment.Name, segment.Group);
            }
        }
    }
}
