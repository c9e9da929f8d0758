using k8s.Models;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Planning.Builders;

/// <summary>Metadata of the objects of a cluster.</summary>
public static class Owners
{
    /// <summary>Metadata of an object that goes with the cluster when it is deleted.</summary>
    public static V1ObjectMeta Owned(DatabaseCluster cluster, string name, string? role = null)
    {
        var metadata = Kept(cluster, name, role);
        metadata.OwnerReferences =
        [
            new V1OwnerReference
            {
                ApiVersion = cluster.ApiVersion,
                Kind = cluster.Kind,
                Name = cluster.Metadata.Name,
                Uid = cluster.Metadata.Uid,
                Controller = true,
                BlockOwnerDeletion = true,
            },
        ];
        return metadata;
    }

    /// <summary>Metadata of an object that the deletion policy decides about.</summary>
    public static V1ObjectMeta Kept(DatabaseCluster cluster, string name, string? role = null) => new()
    {
        Name = name,
        NamespaceProperty = cluster.Metadata.NamespaceProperty,
        Labels = Names.Labels(cluster.Metadata.Name, role),
    };
}
