using System.Text.Json.Serialization;
using k8s.Models;

namespace Redoubt.Operator.Tests.Golden;

/// <summary>A node in a few words.</summary>
internal sealed record NodeCase(
    [property: JsonPropertyName("name")] string Name, [property: JsonPropertyName("zone")] string? Zone, [property: JsonPropertyName("ready")] bool Ready = true,
    [property: JsonPropertyName("labels")] IReadOnlyDictionary<string, string>? Labels = null)
{
    public V1Node Build() => new()
    {
        Metadata = new V1ObjectMeta
        {
            Name = Name,
            Labels = new Dictionary<string, string>(
                [.. Labels ?? new Dictionary<string, string>(), .. Zone is null ? [] : (KeyValuePair<string, string>[])[new("topology.kubernetes.io/zone", Zone)]]),
        },
        Spec = new V1NodeSpec(),
        Status = new V1NodeStatus { Conditions = [new V1NodeCondition { Type = "Ready", Status = Ready ? "True" : "Unknown" }] },
    };
}
