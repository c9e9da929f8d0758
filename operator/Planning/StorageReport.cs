using System.Text.Json.Serialization;

namespace Redoubt.Operator.Planning;

/// <summary>What a storage process says on <c>/status</c>; see docs/processes.md.</summary>
public sealed record StorageReport
{
    [JsonPropertyName("name")] public string? Name { get; init; }
    [JsonPropertyName("state")] public string? State { get; init; }
    [JsonPropertyName("segments")] public IReadOnlyList<SegmentReport> Segments { get; init; } = [];
}
