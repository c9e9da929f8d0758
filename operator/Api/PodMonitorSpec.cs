using System.Text.Json.Serialization;
using k8s.Models;

namespace Redoubt.Operator.Api;

/// <summary>Which pods to scrape and how.</summary>
public sealed class PodMonitorSpec
{
    [JsonPropertyName("selector")] public V1LabelSelector Selector { get; set; } = new();
    [JsonPropertyName("podMetricsEndpoints")] public IList<IDictionary<string, string>> PodMetricsEndpoints { get; set; } = [];
}
