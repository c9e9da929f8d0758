using System.Text.Json.Serialization;

namespace Redoubt.Operator.Tests.Golden;

/// <summary>A compute pod in a few words.</summary>
internal sealed class ComputeCase : PodCase
{
    [JsonPropertyName("generation")] public long Generation { get; init; } = 1;
    [JsonPropertyName("attempt")] public int Attempt { get; init; }
    [JsonPropertyName("epoch")] public long Epoch { get; init; } = 1;
    [JsonPropertyName("message")] public string? Message { get; init; }
    [JsonPropertyName("oldConfig")] public bool OldConfig { get; init; }
    /// <summary>Copies that are complete by their own word only.</summary>
    [JsonPropertyName("lagging")] public List<int>? Lagging { get; init; }

    /// <summary>Parameters that PostgreSQL does not take, with its words.</summary>
    [JsonPropertyName("rejected")] public Dictionary<string, string>? Rejected { get; init; }
    [JsonPropertyName("lastWords")] public string? LastWords { get; init; }
    [JsonPropertyName("silences")] public int Silences { get; init; }
    [JsonPropertyName("pendingRestart")] public List<string>? PendingRestart { get; init; }
}
