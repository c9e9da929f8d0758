using System.Text.Json.Serialization;

namespace Redoubt.Operator.Planning;

/// <summary>One segment in a <see cref="StorageReport"/>.</summary>
public sealed record SegmentReport
{
    [JsonPropertyName("group")] public int Group { get; init; }
    [JsonPropertyName("epoch")] public long Epoch { get; init; }
    [JsonPropertyName("scl")] public string? Scl { get; init; }
    [JsonPropertyName("appliedLsn")] public string? AppliedLsn { get; init; }
    [JsonPropertyName("vdl")] public string? Vdl { get; init; }
    [JsonPropertyName("state")] public string? State { get; init; }
    [JsonPropertyName("message")] public string? Message { get; init; }
}
