using System.Text.Json.Serialization;

namespace Redoubt.Operator.Api;

/// <summary>What the cluster shall be.</summary>
public sealed class DatabaseClusterSpec
{
    [JsonPropertyName("postgres")] public PostgresSpec Postgres { get; set; } = new();
    [JsonPropertyName("database")] public ApplicationDatabaseSpec Database { get; set; } = new();
    [JsonPropertyName("compute")] public ComputeSpec Compute { get; set; } = new();
    [JsonPropertyName("storage")] public StorageSpec Storage { get; set; } = new();
    [JsonPropertyName("scheduling")] public SchedulingSpec? Scheduling { get; set; }
    [JsonPropertyName("images")] public ImagesSpec Images { get; set; } = new();
    [JsonPropertyName("monitoring")] public MonitoringSpec Monitoring { get; set; } = new();

    /// <summary><c>Retain</c> or <c>Delete</c>: what happens to volumes and passwords when the cluster is deleted.</summary>
    [JsonPropertyName("deletionPolicy")] public string DeletionPolicy { get; set; } = "Retain";
}
