using System.Text.Json.Serialization;
using k8s.Models;

namespace Redoubt.Operator.Api;

/// <summary>Where the pods of the cluster may run, beside the zones of the copies.</summary>
public sealed class SchedulingSpec
{
    [JsonPropertyName("nodeSelector")] public IDictionary<string, string>? NodeSelector { get; set; }
    [JsonPropertyName("priorityClassName")] public string? PriorityClassName { get; set; }
    [JsonPropertyName("tolerations")] public IList<V1Toleration>? Tolerations { get; set; }
    [JsonPropertyName("nodeAffinity")] public V1NodeAffinity? NodeAffinity { get; set; }
}
