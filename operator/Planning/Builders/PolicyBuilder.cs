using k8s.Models;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Planning.Builders;

/// <summary>Who may talk to the pods, who may evict them, and who they are.</summary>
public static class PolicyBuilder
{
    /// <summary>
    /// How many copies must stay. A number: anything else is counted through the scale of the pods' owner, which a cluster does not have.
    /// A copy that is not ready may always be evicted, as that takes nothing away.
    /// </summary>
    public static V1PodDisruptionBudget StorageDisruptions(DatabaseCluster cluster, int minAvailable) => new()
    {
        Metadata = Owners.Owned(cluster, Names.StorageService(cluster.Metadata.Name), Names.Storage),
        Spec = new V1PodDisruptionBudgetSpec
        {
            MinAvailable = minAvailable,
            UnhealthyPodEvictionPolicy = "AlwaysAllow",
            Selector = new V1LabelSelector { MatchLabels = Names.Selector(cluster.Metadata.Name, Names.Storage) },
        },
    };

    /// <summary>An identity of its own without any right; no token is mounted.</summary>
    public static V1ServiceAccount ServiceAccount(DatabaseCluster cluster) => new()
    {
        Metadata = Owners.Owned(cluster, Names.ServiceAccount(cluster.Metadata.Name)),
        AutomountServiceAccountToken = false,
    };

    /// <summary>Storage takes log and page requests from its own cluster only.</summary>
    public static V1NetworkPolicy StorageNetwork(DatabaseCluster cluster, string operatorNamespace) => Network(
        cluster, Names.Storage, Ports.StorageHttp, operatorNamespace,
        new V1NetworkPolicyIngressRule
        {
            FromProperty = [new V1NetworkPolicyPeer { PodSelector = new V1LabelSelector { MatchLabels = Names.Selector(cluster.Metadata.Name) } }],
            Ports = [Port(Ports.StorageGrpc)],
        });

    /// <summary>PostgreSQL takes connections from everywhere; passwords guard it.</summary>
    public static V1NetworkPolicy ComputeNetwork(DatabaseCluster cluster, string operatorNamespace) => Network(
        cluster, Names.Compute, Ports.ComputeHttp, operatorNamespace,
        new V1NetworkPolicyIngressRule { Ports = [Port(Ports.Postgres)] });

    /// <summary>Makes the Prometheus operator scrape all pods of the cluster.</summary>
    public static PodMonitor PodMonitor(DatabaseCluster cluster) => new()
    {
        Metadata = Owners.Owned(cluster, cluster.Metadata.Name),
        Spec = new PodMonitorSpec
        {
            Selector = new V1LabelSelector { MatchLabels = Names.Selector(cluster.Metadata.Name) },
            PodMetricsEndpoints = [new Dictionary<string, string> { ["port"] = "http", ["path"] = "/metrics" }],
        },
    };

    private static V1NetworkPolicy Network(
        DatabaseCluster cluster, string role, int httpPort, string operatorNamespace, V1NetworkPolicyIngressRule service)
    {
        var status = new V1NetworkPolicyIngressRule
        {
            FromProperty =
            [
                new V1NetworkPolicyPeer
                {
                    NamespaceSelector = new V1LabelSelector
                    {
                        MatchLabels = new Dictionary<string, string> { ["kubernetes.io/metadata.name"] = operatorNamespace },
                    },
                    PodSelector = new V1LabelSelector
                    {
                        MatchLabels = new Dictionary<string, string> { ["app.kubernetes.io/name"] = "redoubt-operator" },
                    },
                },
            ],
            Ports = [Port(httpPort)],
        };
        if (cluster.Spec.Monitoring.PodMonitor)
        {
            // Prometheus may run in any namespace.
            status.FromProperty.Add(new V1NetworkPolicyPeer { NamespaceSelector = new V1LabelSelector() });
        }

        return new V1NetworkPolicy
        {
            Metadata = Owners.Owned(cluster, $"{cluster.Metadata.Name}-{role}", role),
            Spec = new V1NetworkPolicySpec
            {
                PodSelector = new V1LabelSelector { MatchLabels = Names.Selector(cluster.Metadata.Name, role) },
                PolicyTypes = ["Ingress"],
                Ingress = [service, status],
            },
        };
    }

    private static V1NetworkPolicyPort Port(int port) => new() { Port = port, Protocol = "TCP" };
}
