namespace Redoubt.Compute.Volume;

/// <summary>A segment obeys a newer writer than the caller.</summary>
public sealed class StaleEpochException(string segment, ulong epoch, string detail)
    : Exception($"{segment} does not obey epoch {epoch} any more: {detail}");
