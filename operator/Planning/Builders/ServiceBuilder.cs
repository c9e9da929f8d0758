using k8s.Models;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Planning.Builders;

/// <summary>The Services of a cluster.</summary>
public static class ServiceBuilder
{
    /// <summary>Gives every storage pod its DNS name, also before it is ready: the segments must find each other to become ready.</summary>
    public static V1Service Storage(DatabaseCluster cluster) => new()
    {
        Metadata = Owners.Owned(cluster, Names.StorageService(cluster.Metadata.Name), Names.Storage),
        Spec = new V1ServiceSpec
        {
            Type = "ClusterIP",
            ClusterIP = "None",
            PublishNotReadyAddresses = true,
            Selector = Names.Selector(cluster.Metadata.Name, Names.Storage),
            Ports =
            [
                new V1ServicePort { Name = "grpc", Port = Ports.StorageGrpc, TargetPort = "grpc", Protocol = "TCP" },
                new V1ServicePort { Name = "http", Port = Ports.StorageHttp, TargetPort = "http", Protocol = "TCP" },
            ],
        },
    };

    /// <summary>Leads to the one compute pod that the operator means, never to one that it has replaced.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="computePod">Name of the pod; null while there is none.</param>
    public static V1Service ReadWrite(DatabaseCluster cluster, string? computePod)
    {
        var selector = Names.Selector(cluster.Metadata.Name, Names.Compute);
        selector[Names.PodLabel] = computePod ?? "none";
        return new V1Service
        {
            Metadata = Owners.Owned(cluster, Names.ReadWriteService(cluster.Metadata.Name), Names.Compute),
            Spec = new V1ServiceSpec
            {
                Type = "ClusterIP",
                Selector = selector,
                Ports = [new V1ServicePort { Name = "postgres", Port = Ports.Postgres, TargetPort = "postgres", Protocol = "TCP" }],
            },
        };
    }
}
