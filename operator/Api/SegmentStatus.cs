using System.Text.Json.Serialization;

namespace Redoubt.Operator.Api;

/// <summary>One segment: the part of one protection group that one storage pod holds.</summary>
public sealed class SegmentStatus
{
    /// <summary>Name of the storage pod.</summary>
    [JsonPropertyName("name")] public string Name { get; set; } = "";
    [JsonPropertyName("group")] public int Group { get; set; }
    [JsonPropertyName("zone")] public string? Zone { get; set; }
    [JsonPropertyName("node")] public string? Node { get; set; }

    /// <summary><c>complete</c>, <c>behind</c>, <c>repairing</c>, <c>failed</c> as the segment says, else <c>starting</c> or <c>unreachable</c>.</summary>
    [JsonPropertyName("state")] public string State { get; set; } = "";
    [JsonPropertyName("scl")] public string? Scl { get; set; }
    [JsonPropertyName("appliedLsn")] public string? AppliedLsn { get; set; }
    [JsonPropertyName("message")] public string? Message { get; set; }
}
