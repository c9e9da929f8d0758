using System.Text.Json.Serialization;

namespace Redoubt.Operator.Api;

/// <summary>The compute pod.</summary>
public sealed class ComputeSpec
{
    [JsonPropertyName("resources")] public ContainerResources? Resources { get; set; }

    /// <summary>Limit of the emptyDir that holds PostgreSQL's data directory, a Kubernetes quantity of bytes.</summary>
    [JsonPropertyName("cacheSize")] public string CacheSize { get; set; } = "10Gi";

    /// <summary>Memory of the agent for prefetched pages, a Kubernetes quantity of bytes.</summary>
    [JsonPropertyName("prefetchMemory")] public string PrefetchMemory { get; set; } = "64Mi";
}
