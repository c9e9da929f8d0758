using k8s.Models;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Planning.Builders;

/// <summary>The pod of one copy. Name, host name and volume stay the same for the life of the cluster.</summary>
public static class StoragePodBuilder
{
    public static V1Pod Build(DatabaseCluster cluster, long? userId, int index, string? zone, string volumeId, string image)
    {
        var spec = cluster.Spec;
        var name = Names.StoragePod(cluster.Metadata.Name, index);
        var metadata = Owners.Owned(cluster, name, Names.Storage);
        metadata.Labels[Names.IndexLabel] = index.ToString();
        if (zone is not null)
        {
            metadata.Labels[Names.ZoneLabel] = zone;
        }

        return PodParts.Hashed(new V1Pod
        {
            Metadata = metadata,
            Spec = new V1PodSpec
            {
                Hostname = name,
                Subdomain = Names.StorageService(cluster.Metadata.Name),
                ServiceAccountName = Names.ServiceAccount(cluster.Metadata.Name),
                AutomountServiceAccountToken = false,
                EnableServiceLinks = false,
                RestartPolicy = "Always",
                TerminationGracePeriodSeconds = 30,
                SecurityContext = PodParts.PodSecurity(userId),
                ImagePullSecrets = PodParts.PullSecrets(cluster),
                PriorityClassName = spec.Scheduling?.PriorityClassName,
                NodeSelector = spec.Scheduling?.NodeSelector,
                Tolerations = spec.Scheduling?.Tolerations,
                Affinity = Affinity(cluster, zone),
                TopologySpreadConstraints = zone is null ? Spread(cluster) : null,
                Containers =
                [
                    new V1Container
                    {
                        Name = Names.Storage,
                        Image = image,
                        ImagePullPolicy = spec.Images.PullPolicy,
                        Command = ["/redoubt/Redoubt.Storage"],
                        TerminationMessagePolicy = "FallbackToLogsOnError",
                        Env =
                        [
                            .. PodParts.SharedEnv(cluster, volumeId),
                            PodParts.Env("REDOUBT_NAME", $"storage-{index}"),
                            PodParts.Env("REDOUBT_INDEX", index.ToString()),
                            PodParts.Env("REDOUBT_ZONE", zone ?? "none"),
                            PodParts.Env("REDOUBT_DATA_DIR", "/var/lib/redoubt/data"),
                            PodParts.Env("REDOUBT_LISTEN", $"$(POD_IP):{Ports.StorageGrpc}"),
                            PodParts.Env("REDOUBT_HTTP_LISTEN", $"$(POD_IP):{Ports.StorageHttp}"),
                        ],
                        Ports =
                        [
                            new V1ContainerPort { Name = "grpc", ContainerPort = Ports.StorageGrpc, Protocol = "TCP" },
                            new V1ContainerPort { Name = "http", ContainerPort = Ports.StorageHttp, Protocol = "TCP" },
                        ],
                        Resources = PodParts.Resources(spec.Storage.Resources),
                        SecurityContext = PodParts.ContainerSecurity(),
                        StartupProbe = PodParts.Probe("/healthz", "http", periodSeconds: 1, failures: 300),
                        LivenessProbe = PodParts.Probe("/healthz", "http", periodSeconds: 10, failures: 12, timeoutSeconds: 10),
                        ReadinessProbe = PodParts.Probe("/readyz", "http", periodSeconds: 2, failures: 3, timeoutSeconds: 3),
                        VolumeMounts =
                        [
                            PodParts.Mount("data", "/var/lib/redoubt"),
                            PodParts.Mount("auth", "/etc/redoubt/auth", readOnly: true),
                            PodParts.Mount("tmp", "/tmp"),
                        ],
                    },
                ],
                Volumes =
                [
                    new V1Volume
                    {
                        Name = "data",
                        PersistentVolumeClaim = new V1PersistentVolumeClaimVolumeSource { ClaimName = name },
                    },
                    PodParts.SecretFiles("auth", Names.AuthSecret(cluster.Metadata.Name), "secret"),
                    PodParts.Scratch("tmp", "256Mi"),
                ],
            },
        });
    }

    private static V1Affinity Affinity(DatabaseCluster cluster, string? zone)
    {
        var apart = new V1PodAffinityTerm
        {
            TopologyKey = "kubernetes.io/hostname",
            LabelSelector = new V1LabelSelector { MatchLabels = Names.Selector(cluster.Metadata.Name, Names.Storage) },
        };
        return new V1Affinity
        {
            NodeAffinity = zone is null
                ? PodParts.NodeAffinity(cluster)
                : PodParts.NodeAffinity(cluster, new V1NodeSelectorRequirement
                {
                    Key = cluster.Spec.Storage.TopologyKey,
                    OperatorProperty = "In",
                    Values = [zone],
                }),
            PodAntiAffinity = cluster.Spec.Storage.AntiAffinity == "Required"
                ? new V1PodAntiAffinity { RequiredDuringSchedulingIgnoredDuringExecution = [apart] }
                : new V1PodAntiAffinity
                {
                    PreferredDuringSchedulingIgnoredDuringExecution = [new V1WeightedPodAffinityTerm { Weight = 100, PodAffinityTerm = apart }],
                },
        };
    }

    private static List<V1TopologySpreadConstraint> Spread(DatabaseCluster cluster) =>
    [
        new V1TopologySpreadConstraint
        {
            MaxSkew = 1,
            TopologyKey = cluster.Spec.Storage.TopologyKey,
            WhenUnsatisfiable = "ScheduleAnyway",
            LabelSelector = new V1LabelSelector { MatchLabels = Names.Selector(cluster.Metadata.Name, Names.Storage) },
        },
    ];
}
