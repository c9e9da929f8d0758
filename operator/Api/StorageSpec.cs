using System.Text.Json.Serialization;

namespace Redoubt.Operator.Api;

/// <summary>The storage segments.</summary>
public sealed class StorageSpec
{
    /// <summary>6 (writes need 4, reads 3), 3 (2 and 2) or 1.</summary>
    [JsonPropertyName("copies")] public int Copies { get; set; } = 6;

    /// <summary>Protection groups over which pages are striped; every storage pod holds one segment of each.</summary>
    [JsonPropertyName("groups")] public int Groups { get; set; } = 1;

    /// <summary>Size of the volume of each copy, a Kubernetes quantity of bytes; may grow.</summary>
    [JsonPropertyName("size")] public string Size { get; set; } = "10Gi";

    [JsonPropertyName("storageClassName")] public string? StorageClassName { get; set; }

    /// <summary>Node label that names the zone of a node.</summary>
    [JsonPropertyName("topologyKey")] public string TopologyKey { get; set; } = "topology.kubernetes.io/zone";

    /// <summary>Zones to spread over; those found on the nodes when absent.</summary>
    [JsonPropertyName("zones")] public IList<string>? Zones { get; set; }

    /// <summary><c>Preferred</c> or <c>Required</c>: whether two copies may share a node.</summary>
    [JsonPropertyName("antiAffinity")] public string AntiAffinity { get; set; } = "Preferred";

    [JsonPropertyName("resources")] public ContainerResources? Resources { get; set; }
}
