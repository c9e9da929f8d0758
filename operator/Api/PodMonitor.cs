using System.Text.Json.Serialization;
using k8s;
using k8s.Models;

namespace Redoubt.Operator.Api;

/// <summary>The part of the Prometheus operator's <c>monitoring.coreos.com/v1 PodMonitor</c> that the operator writes.</summary>
public sealed class PodMonitor : IKubernetesObject<V1ObjectMeta>
{
    public const string Group = "monitoring.coreos.com";
    public const string Version = "v1";
    public const string KindName = "PodMonitor";

    [JsonPropertyName("apiVersion")] public string ApiVersion { get; set; } = Group + "/" + Version;
    [JsonPropertyName("kind")] public string Kind { get; set; } = KindName;
    [JsonPropertyName("metadata")] public V1ObjectMeta Metadata { get; set; } = new();
    [JsonPropertyName("spec")] public PodMonitorSpec Spec { get; set; } = new();
}
