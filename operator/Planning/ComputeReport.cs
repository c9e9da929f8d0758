using System.Text.Json.Serialization;

namespace Redoubt.Operator.Planning;

/// <summary>What the compute process says on <c>/status</c>; see docs/processes.md.</summary>
public sealed record ComputeReport
{
    [JsonPropertyName("name")] public string? Name { get; init; }
    [JsonPropertyName("role")] public string? Role { get; init; }

    /// <summary><c>starting</c>, <c>recovering</c>, <c>importing</c>, <c>ready</c>, <c>fenced</c>, <c>stopping</c> or <c>failed</c>.</summary>
    [JsonPropertyName("state")] public string? State { get; init; }
    [JsonPropertyName("message")] public string? Message { get; init; }
    [JsonPropertyName("epoch")] public long Epoch { get; init; }
    [JsonPropertyName("vdl")] public string? Vdl { get; init; }

    [JsonPropertyName("segments")] public IReadOnlyList<SegmentStream>? Segments { get; init; }

    /// <summary>Parameters whose new value needs a restart of PostgreSQL.</summary>
    [JsonPropertyName("pendingRestart")] public IReadOnlyList<string>? PendingRestart { get; init; }
}
