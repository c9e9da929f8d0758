namespace Redoubt.Operator.Planning;

/// <summary>The newest answer of a pod's process, and since when it does not answer.</summary>
/// <param name="Storage">Of a storage pod: its last answer.</param>
/// <param name="Compute">Of a compute pod: its last answer.</param>
/// <param name="UnreachableSince">UTC; null while it answers.</param>
public sealed record PodReport(StorageReport? Storage, ComputeReport? Compute, DateTime? UnreachableSince)
{
    public bool IsReachable => UnreachableSince is null;
}
