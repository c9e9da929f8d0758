using System.Text.Json.Serialization;
using k8s.Models;

namespace Redoubt.Operator.Tests.Golden;

/// <summary>A StorageClass in a few words.</summary>
internal sealed record StorageClassCase([property: JsonPropertyName("name")] string Name)
{
    [JsonPropertyName("default")] public bool Default { get; init; }
    [JsonPropertyName("expands")] public bool Expands { get; init; }

    public V1StorageClass Build() => new()
    {
        Metadata = new V1ObjectMeta
        {
            Name = Name,
            Annotations = Default ? new Dictionary<string, string> { ["storageclass.kubernetes.io/is-default-class"] = "true" } : null,
        },
        Provisioner = "test",
        AllowVolumeExpansion = Expands,
    };
}
