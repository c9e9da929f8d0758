using System.Text.Json.Serialization;

namespace Redoubt.Operator.Tests.Golden;

/// <summary>A copy, or several alike (<c>index: 0-4</c>).</summary>
internal sealed class StorageCase : PodCase
{
    [JsonPropertyName("index")] public int Index { get; set; }

    /// <summary>The last index of several copies alike.</summary>
    [JsonPropertyName("to")] public int? To { get; init; }

    /// <summary>Phase of the claim, or <c>none</c>.</summary>
    [JsonPropertyName("volume")] public string Volume { get; init; } = "Bound";
    [JsonPropertyName("volumeTerminating")] public bool VolumeTerminating { get; init; }
    [JsonPropertyName("size")] public string? Size { get; init; }
    [JsonPropertyName("className")] public string? ClassName { get; init; } = "standard";
    [JsonPropertyName("shape")] public string? Shape { get; init; }

    public IEnumerable<StorageCase> Expand(int copies)
    {
        for (var i = Index; i <= Math.Min(To ?? Index, copies - 1); i++)
        {
            var copy = (StorageCase)MemberwiseClone();
            copy.Index = i;
            yield return copy;
        }
    }
}
