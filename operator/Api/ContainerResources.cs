using System.Text.Json.Serialization;
using k8s.Models;

namespace Redoubt.Operator.Api;

/// <summary>Requests and limits of a container, by resource name.</summary>
public sealed class ContainerResources
{
    [JsonPropertyName("requests")] public IDictionary<string, ResourceQuantity>? Requests { get; set; }
    [JsonPropertyName("limits")] public IDictionary<string, ResourceQuantity>? Limits { get; set; }
}
