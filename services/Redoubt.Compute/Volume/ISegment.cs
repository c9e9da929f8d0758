using Redoubt.Protocol.V1;

namespace Redoubt.Compute.Volume;

/// <summary>One copy of one protection group, as recovery sees it. Calls throw <see cref="StaleEpochException"/> when the segment obeys a newer
/// writer, and <see cref="SegmentUnavailableException"/> when it cannot be reached or cannot answer.</summary>
public interface ISegment
{
    /// <summary>The storage process: <c>storage-0</c>.</summary>
    string Name { get; }

    /// <summary>Which copy, from 0.</summary>
    int Copy { get; }

    /// <summary>Which protection group, from 0.</summary>
    int Group { get; }

    /// <summary>Where peers find it.</summary>
    string Endpoint { get; }

    Task<SegmentState> GetStateAsync(CancellationToken cancellationToken);

    Task<SegmentState> OpenEpochAsync(ulong epoch, CancellationToken cancellationToken);

    Task<SegmentState> TruncateAsync(Truncation truncation, IReadOnlyList<Truncation> history, CancellationToken cancellationToken);

    Task<SegmentState> CatchUpAsync(ulong epoch, ulong target, IReadOnlyList<string> peers, CancellationToken cancellationToken);

    /// <summary>Entries whose chain predecessor ends at or after <paramref name="from"/>, without their bodies.</summary>
    Task<IReadOnlyList<LogPosition>> FetchPositionsAsync(ulong epoch, ulong from, CancellationToken cancellationToken);
}
