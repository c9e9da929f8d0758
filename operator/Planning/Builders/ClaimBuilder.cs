using k8s.Models;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Planning.Builders;

/// <summary>
/// The volume of one copy. It has no owner reference: only the finalizer, which knows the deletion policy, may delete it.
/// </summary>
public static class ClaimBuilder
{
    public static V1PersistentVolumeClaim Build(DatabaseCluster cluster, int index, string? zone, string volumeId, string size)
    {
        var metadata = Owners.Kept(cluster, Names.StoragePod(cluster.Metadata.Name, index), Names.Storage);
        metadata.Labels[Names.IndexLabel] = index.ToString();
        metadata.Labels[Names.VolumeLabel] = volumeId;
        metadata.Labels[Names.ShapeLabel] = Shape(cluster.Spec);
        if (zone is not null)
        {
            metadata.Labels[Names.ZoneLabel] = zone;
        }

        return new V1PersistentVolumeClaim
        {
            Metadata = metadata,
            Spec = new V1PersistentVolumeClaimSpec
            {
                AccessModes = ["ReadWriteOnce"],
                StorageClassName = cluster.Spec.Storage.StorageClassName,
                Resources = new V1VolumeResourceRequirements
                {
                    Requests = new Dictionary<string, ResourceQuantity> { ["storage"] = new(size) },
                },
            },
        };
    }

    /// <summary>What must be the same for a cluster that takes up retained volumes: copies, groups, PostgreSQL's version.</summary>
    public static string Shape(DatabaseClusterSpec spec) => $"copies-{spec.Storage.Copies}.groups-{spec.Storage.Groups}.pg-{spec.Postgres.Version}";
}
