using System.Globalization;

namespace Redoubt.Operator.Planning;

/// <summary>Names, labels and annotations of what the operator makes for a cluster.</summary>
public static class Names
{
    public const string ClusterLabel = "redoubt.dev/cluster";
    public const string RoleLabel = "redoubt.dev/role";
    public const string IndexLabel = "redoubt.dev/index";
    public const string ZoneLabel = "redoubt.dev/zone";
    public const string VolumeLabel = "redoubt.dev/volume";
    public const string ShapeLabel = "redoubt.dev/shape";
    public const string PodLabel = "redoubt.dev/pod";
    public const string ManagedByLabel = "app.kubernetes.io/managed-by";
    public const string ManagedBy = "redoubt-operator";
    public const string SpecHashAnnotation = "redoubt.dev/spec-hash";

    /// <summary>Hash of the ConfigMap, on the compute pod: a change of a pod makes the kubelet renew its mounts at once.</summary>
    public const string ConfigHashAnnotation = "redoubt.dev/config-hash";

    /// <summary>How many compute pods before this one ended soon after their start, in a row.</summary>
    public const string AttemptAnnotation = "redoubt.dev/attempt";

    /// <summary>Which operator looks after the cluster, and when it last said so.</summary>
    public const string OperatorAnnotation = "redoubt.dev/operator";

    /// <summary>Hash of the configuration that a compute pod was started with.</summary>
    public const string StartConfigAnnotation = "redoubt.dev/start-config-hash";

    /// <summary>Hash of the passwords that a compute pod was last told to take, and when.</summary>
    public const string SecretsHashAnnotation = "redoubt.dev/secrets-hash";
    public const string SecretsTimeAnnotation = "redoubt.dev/secrets-at";

    /// <summary>Hash of the shared secret that a pod was started with.</summary>
    public const string AuthHashAnnotation = "redoubt.dev/auth-hash";

    /// <summary>How many compute pods before this one were replaced for their silence, in a row.</summary>
    public const string SilenceAnnotation = "redoubt.dev/silences";
    public const string Finalizer = "redoubt.dev/cluster";
    public const string Storage = "storage";
    public const string Compute = "compute";

    public static string StoragePod(string cluster, int index) => $"{cluster}-storage-{index.ToString(CultureInfo.InvariantCulture)}";

    public static string ComputePod(string cluster, long generation) => $"{cluster}-compute-{generation.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>Generation of a compute pod by its name, 0 for any other name.</summary>
    public static long ComputeGeneration(string cluster, string pod) =>
        pod.StartsWith(cluster + "-compute-", StringComparison.Ordinal)
        && long.TryParse(pod.AsSpan(cluster.Length + "-compute-".Length), NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : 0;

    public static string StorageService(string cluster) => cluster + "-storage";
    public static string ReadWriteService(string cluster) => cluster + "-rw";
    public static string SuperuserSecret(string cluster) => cluster + "-superuser";
    public static string AppSecret(string cluster) => cluster + "-app";
    public static string AuthSecret(string cluster) => cluster + "-auth";
    public static string PostgresConfig(string cluster) => cluster + "-postgres";
    public static string ServiceAccount(string cluster) => cluster;

    /// <summary>Labels of every object of a cluster.</summary>
    public static Dictionary<string, string> Labels(string cluster, string? role = null)
    {
        var labels = new Dictionary<string, string>
        {
            ["app.kubernetes.io/name"] = "redoubt",
            ["app.kubernetes.io/instance"] = cluster,
            [ManagedByLabel] = ManagedBy,
            [ClusterLabel] = cluster,
        };
        if (role is not null)
        {
            labels["app.kubernetes.io/component"] = role;
            labels[RoleLabel] = role;
        }

        return labels;
    }

    /// <summary>Labels that select the pods of a role.</summary>
    public static Dictionary<string, string> Selector(string cluster, string? role = null)
    {
        var labels = new Dictionary<string, string> { [ClusterLabel] = cluster };
        if (role is not null)
        {
            labels[RoleLabel] = role;
        }

        return labels;
    }
}
