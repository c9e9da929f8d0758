using System.Text.Json.Serialization;

namespace Redoubt.Operator.Api;

/// <summary>How the pods are watched.</summary>
public sealed class MonitoringSpec
{
    /// <summary>Whether a PodMonitor of the Prometheus operator is made.</summary>
    [JsonPropertyName("podMonitor")] public bool PodMonitor { get; set; }
}
