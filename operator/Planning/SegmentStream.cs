using System.Text.Json.Serialization;

namespace Redoubt.Operator.Planning;

/// <summary>A segment as the compute sees it, in a <see cref="ComputeReport"/>.</summary>
public sealed record SegmentStream
{
    /// <summary>Name of the process, for example <c>storage-0</c>.</summary>
    [JsonPropertyName("name")] public string Name { get; init; } = "";
    [JsonPropertyName("group")] public int Group { get; init; }
    [JsonPropertyName("scl")] public string? Scl { get; init; }
    [JsonPropertyName("connected")] public bool Connected { get; init; }
}
