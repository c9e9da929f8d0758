using k8s.Models;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Api;

/// <summary>The built-in kinds that the server serves.</summary>
public static class BuiltInTypes
{
    private static ResourceType Make<T>(string group, string plural, bool namespaced, bool status = false, bool generation = false, params string[] shortNames) =>
        new(group, "v1", plural, typeof(T).Name.StartsWith("V1", StringComparison.Ordinal) ? typeof(T).Name[2..] : "Event", namespaced)
        {
            HasStatus = status,
            HasGeneration = generation,
            ShortNames = shortNames,
            Schema = BuiltInSchemas.Of(typeof(T)),
            Categories = plural is "pods" or "services" or "deployments" or "replicasets" or "statefulsets" ? ["all"] : [],
        };

    /// <summary>v1 namespaces.</summary>
    public static readonly ResourceType Namespaces = Make<V1Namespace>("", "namespaces", false, true, false, "ns");

    /// <summary>v1 nodes.</summary>
    public static readonly ResourceType Nodes = Make<V1Node>("", "nodes", false, true, false, "no");

    /// <summary>v1 pods.</summary>
    public static readonly ResourceType Pods = Make<V1Pod>("", "pods", true, true, true, "po");

    /// <summary>v1 services.</summary>
    public static readonly ResourceType Services = Make<V1Service>("", "services", true, true, false, "svc");

    /// <summary>v1 endpoints.</summary>
    public static readonly ResourceType Endpoints = Make<V1Endpoints>("", "endpoints", true, false, false, "ep");

    /// <summary>v1 configmaps.</summary>
    public static readonly ResourceType ConfigMaps = Make<V1ConfigMap>("", "configmaps", true, false, false, "cm");

    /// <summary>v1 secrets.</summary>
    public static readonly ResourceType Secrets = Make<V1Secret>("", "secrets", true);

    /// <summary>v1 serviceaccounts.</summary>
    public static readonly ResourceType ServiceAccounts = Make<V1ServiceAccount>("", "serviceaccounts", true, false, false, "sa");

    /// <summary>v1 persistentvolumeclaims.</summary>
    public static readonly ResourceType Claims = Make<V1PersistentVolumeClaim>("", "persistentvolumeclaims", true, true, false, "pvc");

    /// <summary>v1 persistentvolumes.</summary>
    public static readonly ResourceType Volumes = Make<V1PersistentVolume>("", "persistentvolumes", false, true, false, "pv");

    /// <summary>v1 resourcequotas.</summary>
    public static readonly ResourceType ResourceQuotas = Make<V1ResourceQuota>("", "resourcequotas", true, true, false, "quota");

    /// <summary>batch/v1 jobs: stored; a test says how they end.</summary>
    public static readonly ResourceType Jobs = Make<V1Job>("batch", "jobs", true, true, true);

    /// <summary>v1 events.</summary>
    public static readonly ResourceType Events = Make<Corev1Event>("", "events", true, false, false, "ev");

    /// <summary>events.k8s.io/v1 events: another view of the same objects.</summary>
    public static readonly ResourceType NewEvents = Make<Eventsv1Event>("events.k8s.io", "events", true, false, false, "ev");

    /// <summary>apps/v1 deployments.</summary>
    public static readonly ResourceType Deployments = Make<V1Deployment>("apps", "deployments", true, true, true, "deploy");

    /// <summary>apps/v1 replicasets.</summary>
    public static readonly ResourceType ReplicaSets = Make<V1ReplicaSet>("apps", "replicasets", true, true, true, "rs");

    /// <summary>apps/v1 statefulsets: stored, not run.</summary>
    public static readonly ResourceType StatefulSets = Make<V1StatefulSet>("apps", "statefulsets", true, true, true, "sts");

    /// <summary>policy/v1 poddisruptionbudgets.</summary>
    public static readonly ResourceType DisruptionBudgets = Make<V1PodDisruptionBudget>("policy", "poddisruptionbudgets", true, true, true, "pdb");

    /// <summary>networking.k8s.io/v1 networkpolicies.</summary>
    public static readonly ResourceType NetworkPolicies = Make<V1NetworkPolicy>("networking.k8s.io", "networkpolicies", true, false, true, "netpol");

    /// <summary>rbac roles.</summary>
    public static readonly ResourceType Roles = Make<V1Role>("rbac.authorization.k8s.io", "roles", true);

    /// <summary>rbac rolebindings.</summary>
    public static readonly ResourceType RoleBindings = Make<V1RoleBinding>("rbac.authorization.k8s.io", "rolebindings", true);

    /// <summary>rbac clusterroles.</summary>
    public static readonly ResourceType ClusterRoles = Make<V1ClusterRole>("rbac.authorization.k8s.io", "clusterroles", false);

    /// <summary>rbac clusterrolebindings.</summary>
    public static readonly ResourceType ClusterRoleBindings = Make<V1ClusterRoleBinding>("rbac.authorization.k8s.io", "clusterrolebindings", false);

    /// <summary>coordination leases.</summary>
    public static readonly ResourceType Leases = Make<V1Lease>("coordination.k8s.io", "leases", true);

    /// <summary>storage.k8s.io storageclasses.</summary>
    public static readonly ResourceType StorageClasses = Make<V1StorageClass>("storage.k8s.io", "storageclasses", false, false, false, "sc");

    /// <summary>discovery.k8s.io endpointslices.</summary>
    public static readonly ResourceType EndpointSlices = Make<V1EndpointSlice>("discovery.k8s.io", "endpointslices", true);

    /// <summary>apiextensions CRDs.</summary>
    public static readonly ResourceType CustomResourceDefinitions =
        Make<V1CustomResourceDefinition>("apiextensions.k8s.io", "customresourcedefinitions", false, true, true, "crd", "crds");

    /// <summary>All of them.</summary>
    public static IReadOnlyList<ResourceType> All { get; } =
    [
        Namespaces, Nodes, Pods, Services, Endpoints, ConfigMaps, Secrets, ServiceAccounts, Claims, Volumes, ResourceQuotas, Jobs, Events, NewEvents, Deployments,
        ReplicaSets, StatefulSets, DisruptionBudgets, NetworkPolicies, Roles, RoleBindings, ClusterRoles, ClusterRoleBindings, Leases,
        StorageClasses, EndpointSlices, CustomResourceDefinitions,
    ];
}
