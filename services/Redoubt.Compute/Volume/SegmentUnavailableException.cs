namespace Redoubt.Compute.Volume;

/// <summary>A segment did not answer, or answered that it cannot.</summary>
public sealed class SegmentUnavailableException(string segment, string detail, Exception? inner = null)
    : Exception($"{segment} is not available: {detail}", inner);
