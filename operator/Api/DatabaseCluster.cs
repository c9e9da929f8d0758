using System.Text.Json.Serialization;
using k8s;
using k8s.Models;

namespace Redoubt.Operator.Api;

/// <summary>
/// The custom resource <c>databaseclusters.redoubt.dev/v1alpha1</c>. Its schema, defaults and rules are in
/// <c>crds/databaseclusters.redoubt.dev.yaml</c>; a test holds these types and that file together. The API server has
/// filled in the defaults before the operator sees an object, so the initial values here only matter for objects built in code.
/// </summary>
public sealed class DatabaseCluster : IKubernetesObject<V1ObjectMeta>
{
    public const string Group = "redoubt.dev";
    public const string Version = "v1alpha1";
    public const string KindName = "DatabaseCluster";
    public const string Plural = "databaseclusters";

    [JsonPropertyName("apiVersion")] public string ApiVersion { get; set; } = Group + "/" + Version;
    [JsonPropertyName("kind")] public string Kind { get; set; } = KindName;
    [JsonPropertyName("metadata")] public V1ObjectMeta Metadata { get; set; } = new();
    [JsonPropertyName("spec")] public DatabaseClusterSpec Spec { get; set; } = new();
    [JsonPropertyName("status")] public DatabaseClusterStatus? Status { get; set; }
}
