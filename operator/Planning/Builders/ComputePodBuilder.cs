using k8s.Models;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Planning.Builders;

/// <summary>
/// The compute pod. It is never restarted in place: whatever ends it, the next one has a new name, so that a pod that was
/// fenced cannot come back by itself and fence its successor.
/// </summary>
public static class ComputePodBuilder
{
    public static V1Pod Build(DatabaseCluster cluster, long? userId, long generation, string volumeId, string image)
    {
        var spec = cluster.Spec;
        var name = Names.ComputePod(cluster.Metadata.Name, generation);
        var metadata = Owners.Owned(cluster, name, Names.Compute);
        metadata.Labels[Names.PodLabel] = name;

        return PodParts.Hashed(new V1Pod
        {
            Metadata = metadata,
            Spec = new V1PodSpec
            {
                ServiceAccountName = Names.ServiceAccount(cluster.Metadata.Name),
                AutomountServiceAccountToken = false,
                EnableServiceLinks = false,
                RestartPolicy = "Never",
                TerminationGracePeriodSeconds = 60,
                SecurityContext = PodParts.PodSecurity(userId),
                ImagePullSecrets = PodParts.PullSecrets(cluster),
                PriorityClassName = spec.Scheduling?.PriorityClassName,
                NodeSelector = spec.Scheduling?.NodeSelector,
                Tolerations = spec.Scheduling?.Tolerations,
                Affinity = PodParts.NodeAffinity(cluster) is { } nodes ? new V1Affinity { NodeAffinity = nodes } : null,
                Containers =
                [
                    new V1Container
                    {
                        Name = Names.Compute,
                        Image = image,
                        ImagePullPolicy = spec.Images.PullPolicy,
                        Command = ["/redoubt/start", "/redoubt/Redoubt.Compute"],
                        TerminationMessagePolicy = "FallbackToLogsOnError",
                        Env = Env(cluster, volumeId),
                        Ports =
                        [
                            new V1ContainerPort { Name = "postgres", ContainerPort = Ports.Postgres, Protocol = "TCP" },
                            new V1ContainerPort { Name = "http", ContainerPort = Ports.ComputeHttp, Protocol = "TCP" },
                        ],
                        Resources = PodParts.Resources(spec.Compute.Resources),
                        SecurityContext = PodParts.ContainerSecurity(),
                        StartupProbe = PodParts.Probe("/healthz", "http", periodSeconds: 1, failures: 300),
                        
                        // A node that starves lets probes time out: the operator replaces a hung process, the kubelet only one that stays so.
                        LivenessProbe = PodParts.Probe("/healthz", "http", periodSeconds: 10, failures: 12, timeoutSeconds: 10),
                        ReadinessProbe = PodParts.Probe("/readyz", "http", periodSeconds: 1, failures: 3, timeoutSeconds: 3),
                        VolumeMounts =
                        [
                            PodParts.Mount("cache", "/var/lib/redoubt"),
                            PodParts.Mount("config", "/etc/redoubt/postgres", readOnly: true),
                            PodParts.Mount("auth", "/etc/redoubt/auth", readOnly: true),
                            PodParts.Mount("superuser", "/etc/redoubt/superuser", readOnly: true),
                            PodParts.Mount("app", "/etc/redoubt/app", readOnly: true),
                            PodParts.Mount("tmp", "/tmp"),
                            PodParts.Mount("shm", "/dev/shm"),
                        ],
                    },
                ],
                Volumes =
                [
                    PodParts.Scratch("cache", spec.Compute.CacheSize),
                    new V1Volume
                    {
                        Name = "config",
                        ConfigMap = new V1ConfigMapVolumeSource { Name = Names.PostgresConfig(cluster.Metadata.Name), DefaultMode = 0x124 }, // 0444
                    },
                    PodParts.SecretFiles("auth", Names.AuthSecret(cluster.Metadata.Name), "secret"),
                    PodParts.SecretFiles("superuser", Names.SuperuserSecret(cluster.Metadata.Name), "password"),
                    PodParts.SecretFiles("app", Names.AppSecret(cluster.Metadata.Name), "password"),
                    PodParts.Scratch("tmp", "1Gi"),
                    PodParts.Scratch("shm", medium: "Memory"), // parallel queries share memory there; the runtime's own is 64 MiB
                ],
            },
        });
    }

    private static List<V1EnvVar> Env(DatabaseCluster cluster, string volumeId)
    {
        var spec = cluster.Spec;
        var prefetch = Math.Max(1, (long)(new ResourceQuantity(spec.Compute.PrefetchMemory).ToDecimal() / (1024 * 1024)));
        return
        [
            .. PodParts.SharedEnv(cluster, volumeId),
            PodParts.Env("REDOUBT_NAME", Names.Compute),
            PodParts.Env("REDOUBT_DATA_DIR", "/var/lib/redoubt/data"),
            PodParts.Env("REDOUBT_HTTP_LISTEN", $"$(POD_IP):{Ports.ComputeHttp}"),
            PodParts.Env("REDOUBT_PG_BIN", $"/usr/lib/postgresql/{spec.Postgres.Version}/bin"),
            PodParts.Env("REDOUBT_SHIM", "/redoubt/pgshim.so"),
            PodParts.Env("REDOUBT_PORT", Ports.Postgres.ToString()),
            PodParts.Env("REDOUBT_LISTEN_ADDRESSES", "$(POD_IP),127.0.0.1"),
            PodParts.Env("REDOUBT_PARAMETERS_FILE", "/etc/redoubt/postgres/" + PostgresConfigBuilder.ParametersKey),
            PodParts.Env("REDOUBT_HBA_FILE", "/etc/redoubt/postgres/" + PostgresConfigBuilder.HbaKey),
            PodParts.Env("REDOUBT_SUPERUSER_PASSWORD_FILE", "/etc/redoubt/superuser/password"),
            PodParts.Env("REDOUBT_APP_DATABASE", spec.Database.Name),
            PodParts.Env("REDOUBT_APP_USER", spec.Database.Owner),
            PodParts.Env("REDOUBT_APP_PASSWORD_FILE", "/etc/redoubt/app/password"),
            PodParts.Env("REDOUBT_CACHE_SIZE_MB", prefetch.ToString()),
        ];
    }
}
