using System.Text.Json;
using System.Text.Json.Serialization;

namespace Redoubt.Operator.Api;

/// <summary>The PostgreSQL that runs in the compute pod.</summary>
public sealed class PostgresSpec
{
    /// <summary>Major version, 17 or 18.</summary>
    [JsonPropertyName("version")] public int Version { get; set; } = 17;

    /// <summary>PostgreSQL parameters by name: text, numbers or booleans. The custom resource's rules refuse those that Redoubt fixes.</summary>
    [JsonPropertyName("parameters")] public IDictionary<string, JsonElement>? Parameters { get; set; }
}
