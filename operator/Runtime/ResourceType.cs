using k8s;
using k8s.Models;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Runtime;

/// <summary>A kind of object of the Kubernetes API and the path of its collection.</summary>
/// <param name="Group">API group, empty for the core group.</param>
/// <param name="Version">API version, for example <c>v1</c>.</param>
/// <param name="Kind">Kind, for example <c>Pod</c>.</param>
/// <param name="Plural">Path segment, for example <c>pods</c>.</param>
/// <param name="Namespaced">Whether objects live in namespaces.</param>
public sealed record ResourceType(string Group, string Version, string Kind, string Plural, bool Namespaced = true)
{
    public static readonly ResourceType DatabaseClusters =
        new(DatabaseCluster.Group, DatabaseCluster.Version, DatabaseCluster.KindName, DatabaseCluster.Plural);
    public static readonly ResourceType Pods = new("", "v1", "Pod", "pods");
    public static readonly ResourceType Claims = new("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims");
    public static readonly ResourceType Services = new("", "v1", "Service", "services");
    public static readonly ResourceType Secrets = new("", "v1", "Secret", "secrets");
    public static readonly ResourceType ConfigMaps = new("", "v1", "ConfigMap", "configmaps");
    public static readonly ResourceType ServiceAccounts = new("", "v1", "ServiceAccount", "serviceaccounts");
    public static readonly ResourceType Events = new("", "v1", "Event", "events");
    public static readonly ResourceType Nodes = new("", "v1", "Node", "nodes", Namespaced: false);
    public static readonly ResourceType StorageClasses = new("storage.k8s.io", "v1", "StorageClass", "storageclasses", Namespaced: false);
    public static readonly ResourceType DisruptionBudgets = new("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets");
    public static readonly ResourceType NetworkPolicies = new("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies");
    public static readonly ResourceType PodMonitors = new(PodMonitor.Group, PodMonitor.Version, PodMonitor.KindName, "podmonitors");

    private static readonly Dictionary<Type, ResourceType> ByType = new()
    {
        [typeof(DatabaseCluster)] = DatabaseClusters,
        [typeof(V1Pod)] = Pods,
        [typeof(V1PersistentVolumeClaim)] = Claims,
        [typeof(V1Service)] = Services,
        [typeof(V1Secret)] = Secrets,
        [typeof(V1ConfigMap)] = ConfigMaps,
        [typeof(V1ServiceAccount)] = ServiceAccounts,
        [typeof(Corev1Event)] = Events,
        [typeof(V1Node)] = Nodes,
        [typeof(V1StorageClass)] = StorageClasses,
        [typeof(V1PodDisruptionBudget)] = DisruptionBudgets,
        [typeof(V1NetworkPolicy)] = NetworkPolicies,
        [typeof(PodMonitor)] = PodMonitors,
    };

    /// <summary>Value of <c>apiVersion</c> in objects of this kind.</summary>
    public string ApiVersion => Group.Length == 0 ? Version : Group + "/" + Version;

    /// <summary>The kind that a C# type stands for.</summary>
    /// <exception cref="ArgumentException">The operator does not handle this type.</exception>
    public static ResourceType Of(Type type) =>
        ByType.TryGetValue(type, out var found) ? found : throw new ArgumentException($"No resource type for {type}.", nameof(type));

    /// <inheritdoc cref="Of(Type)"/>
    public static ResourceType Of<T>() => Of(typeof(T));

    /// <summary>The kind of an object.</summary>
    public static ResourceType Of(IKubernetesObject<V1ObjectMeta> value) => Of(value.GetType());

    /// <summary>Path of the collection, relative to the server; all namespaces when <paramref name="namespaceName"/> is null.</summary>
    public string CollectionPath(string? namespaceName)
    {
        var root = Group.Length == 0 ? "api/" + Version : $"apis/{Group}/{Version}";
        return Namespaced && namespaceName is not null ? $"{root}/namespaces/{namespaceName}/{Plural}" : $"{root}/{Plural}";
    }
}
