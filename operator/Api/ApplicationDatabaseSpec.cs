using System.Text.Json.Serialization;

namespace Redoubt.Operator.Api;

/// <summary>The database and role that are made for the application when the cluster is new.</summary>
public sealed class ApplicationDatabaseSpec
{
    [JsonPropertyName("name")] public string Name { get; set; } = "app";
    [JsonPropertyName("owner")] public string Owner { get; set; } = "app";
}
