using System.Text.Json.Serialization;

namespace Redoubt.Operator.Api;

/// <summary>Images to run instead of the operator's own.</summary>
public sealed class ImagesSpec
{
    [JsonPropertyName("storage")] public string? Storage { get; set; }
    [JsonPropertyName("compute")] public string? Compute { get; set; }
    [JsonPropertyName("pullPolicy")] public string PullPolicy { get; set; } = "IfNotPresent";
    [JsonPropertyName("pullSecrets")] public IList<string>? PullSecrets { get; set; }
}
