using System.Security.Cryptography;
using System.Text;
using k8s;
using k8s.Models;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Planning.Builders;

/// <summary>What storage and compute pods have in common: the restricted Pod Security profile, probes, volumes, the hash.</summary>
public static class PodParts
{
    /// <param name="userId">User and group of the process; null leaves them to the Kubernetes cluster, which must then choose some other than root.</param>
    public static V1PodSecurityContext PodSecurity(long? userId) => new()
    {
        RunAsNonRoot = true,
        RunAsUser = userId,
        RunAsGroup = userId,
        FsGroup = userId,
        FsGroupChangePolicy = "OnRootMismatch",
        SeccompProfile = new V1SeccompProfile { Type = "RuntimeDefault" },
    };

    public static V1SecurityContext ContainerSecurity() => new()
    {
        AllowPrivilegeEscalation = false,
        ReadOnlyRootFilesystem = true,
        RunAsNonRoot = true,
        Capabilities = new V1Capabilities { Drop = ["ALL"] },
        SeccompProfile = new V1SeccompProfile { Type = "RuntimeDefault" },
    };

    public static V1EnvVar Env(string name, string value) => new() { Name = name, Value = value };

    /// <summary>The pod's own address; later variables refer to it as <c>$(POD_IP)</c>.</summary>
    public static V1EnvVar PodIp() => new()
    {
        Name = "POD_IP",
        ValueFrom = new V1EnvVarSource { FieldRef = new V1ObjectFieldSelector { ApiVersion = "v1", FieldPath = "status.podIP" } },
    };

    public static V1Volume Scratch(string name, string? limit = null, string? medium = null) => new()
    {
        Name = name,
        EmptyDir = new V1EmptyDirVolumeSource { SizeLimit = limit is null ? null : new ResourceQuantity(limit), Medium = medium },
    };

    public static V1Volume SecretFiles(string name, string secret, params string[] keys) => new()
    {
        Name = name,
        Secret = new V1SecretVolumeSource
        {
            SecretName = secret,
            DefaultMode = 0x120, // 0440: the group is the pod's fsGroup
            Items = [.. keys.Select(k => new V1KeyToPath { Key = k, Path = k })],
        },
    };

    public static V1VolumeMount Mount(string name, string path, bool readOnly = false) =>
        new() { Name = name, MountPath = path, ReadOnlyProperty = readOnly ? true : null };

    public static V1Probe Probe(string path, string port, int periodSeconds, int failures, int timeoutSeconds = 2) => new()
    {
        HttpGet = new V1HTTPGetAction { Path = path, Port = port, Scheme = "HTTP" },
        PeriodSeconds = periodSeconds,
        TimeoutSeconds = timeoutSeconds,
        FailureThreshold = failures,
    };

    public static V1ResourceRequirements? Resources(ContainerResources? resources) =>
        resources is null ? null : new V1ResourceRequirements { Requests = resources.Requests, Limits = resources.Limits };

    public static IList<V1LocalObjectReference>? PullSecrets(DatabaseCluster cluster) =>
        cluster.Spec.Images.PullSecrets is { Count: > 0 } names
            ? [.. names.Select(n => new V1LocalObjectReference { Name = n })]
            : null;

    /// <summary>The cluster's node affinity with further demands put into each of its terms (terms are alternatives).</summary>
    public static V1NodeAffinity? NodeAffinity(DatabaseCluster cluster, params V1NodeSelectorRequirement[] demands)
    {
        var own = cluster.Spec.Scheduling?.NodeAffinity;
        if (demands.Length == 0)
        {
            return own;
        }

        var terms = own?.RequiredDuringSchedulingIgnoredDuringExecution?.NodeSelectorTerms;
        return new V1NodeAffinity
        {
            PreferredDuringSchedulingIgnoredDuringExecution = own?.PreferredDuringSchedulingIgnoredDuringExecution,
            RequiredDuringSchedulingIgnoredDuringExecution = new V1NodeSelector
            {
                NodeSelectorTerms = terms is { Count: > 0 }
                    ? [.. terms.Select(t => new V1NodeSelectorTerm
                    {
                        MatchFields = t.MatchFields,
                        MatchExpressions = [.. t.MatchExpressions ?? [], .. demands],
                    })]
                    : [new V1NodeSelectorTerm { MatchExpressions = [.. demands] }],
            },
        };
    }

    /// <summary>Writes the hash of the pod into its annotations, so that a later look tells whether it is still what is wanted.</summary>
    public static V1Pod Hashed(V1Pod pod)
    {
        pod.Metadata.Annotations ??= new Dictionary<string, string>();
        pod.Metadata.Annotations[Names.SpecHashAnnotation] = Hash(KubernetesJson.Serialize(pod.Spec));
        return pod;
    }

    public static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16];

    /// <summary>Shape variables that both processes get; see docs/processes.md.</summary>
    public static IEnumerable<V1EnvVar> SharedEnv(DatabaseCluster cluster, string volumeId)
    {
        var storage = cluster.Spec.Storage;
        var shape = QuorumShape.For(storage.Copies);
        yield return PodIp();
        yield return Env("REDOUBT_VOLUME", volumeId);
        yield return Env("REDOUBT_COPIES", shape.Copies.ToString());
        yield return Env("REDOUBT_WRITE_QUORUM", shape.Write.ToString());
        yield return Env("REDOUBT_READ_QUORUM", shape.Read.ToString());
        yield return Env("REDOUBT_GROUPS", storage.Groups.ToString());
        yield return Env("REDOUBT_PG_VERSION", cluster.Spec.Postgres.Version.ToString());
        yield return Env("REDOUBT_SEGMENTS", Segments(cluster));
        yield return Env("REDOUBT_SECRET_FILE", "/etc/redoubt/auth/secret");
        yield return Env("REDOUBT_LOG_FORMAT", "json");
        yield return Env("DOTNET_EnableDiagnostics", "0");
    }

    private static string Segments(DatabaseCluster cluster)
    {
        var name = cluster.Metadata.Name;
        return string.Join(',', Enumerable.Range(0, cluster.Spec.Storage.Copies).Select(i =>
            $"storage-{i}=http://{Names.StoragePod(name, i)}.{Names.StorageService(name)}.{cluster.Metadata.NamespaceProperty}.svc:{Ports.StorageGrpc}"));
    }
}
