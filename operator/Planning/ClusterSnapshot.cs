using k8s.Models;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Planning;

/// <summary>All that the planner looks at: the cluster, what exists for it, what its processes say, and the time.</summary>
public sealed record ClusterSnapshot
{
    public required DatabaseCluster Cluster { get; init; }
    public required OperatorOptions Options { get; init; }

    /// <summary>UTC.</summary>
    public required DateTime Now { get; init; }

    /// <summary>Makes a password or key; asked only for Secrets that do not exist.</summary>
    public required Func<string> NewPassword { get; init; }

    public IReadOnlyList<V1Pod> Pods { get; init; } = [];
    public IReadOnlyList<V1PersistentVolumeClaim> Claims { get; init; } = [];
    public IReadOnlyList<V1Secret> Secrets { get; init; } = [];

    /// <summary>All nodes; empty when the operator may not see nodes.</summary>
    public IReadOnlyList<V1Node> Nodes { get; init; } = [];
    public IReadOnlyList<V1StorageClass> StorageClasses { get; init; } = [];

    /// <summary>By name of the pod.</summary>
    public IReadOnlyDictionary<string, PodReport> Reports { get; init; } = new Dictionary<string, PodReport>();

    /// <summary>Storage pods of any cluster that answer late or not at all, by name of their node: witnesses of a node that starves.</summary>
    public IReadOnlyDictionary<string, int> SlowStorage { get; init; } = new Dictionary<string, int>();

    /// <summary>What the API server refused when it was last asked.</summary>
    public IReadOnlyList<Refusal> Refusals { get; init; } = [];

    /// <summary>Hashes of pod specs that the server has said it would take; null: every one.</summary>
    public IReadOnlySet<string>? AcceptedPods { get; init; }

    /// <summary>Values of Secrets that have been deleted since this operator started, by name and key.</summary>
    public IReadOnlyDictionary<string, string> LostSecrets { get; init; } = new Dictionary<string, string>();
}
