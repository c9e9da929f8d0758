namespace Redoubt.Storage.Chain;

/// <summary>Why a segment cannot do now what it could do later, or what a peer can do.</summary>
public enum NotReadyReason
{
    /// <summary>Its gap-free log does not reach far enough.</summary>
    Incomplete,

    /// <summary>It has not applied far enough within the time it waits.</summary>
    NotApplied,

    /// <summary>The truncation of the epoch that it obeys has not reached it.</summary>
    Unsettled,

    /// <summary>It is new, or its disk was lost, and it has not caught up with the volume.</summary>
    Joining,
}

/// <summary>The segment refuses, and loses nothing by it: ask another one, or again later.</summary>
public sealed class SegmentNotReadyException(NotReadyReason reason, string message) : Exception(message)
{
    public NotReadyReason Reason { get; } = reason;
}
