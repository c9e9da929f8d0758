using k8s;
using k8s.Models;
using Redoubt.Operator.Api;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Planning;

/// <summary>A plan while it is being made: the observation sorted by what it is about, and the steps so far.</summary>
public sealed class PlanDraft
{
    private readonly HashSet<string> nodeNames;
    private readonly Dictionary<string, V1Node> nodes;

    public PlanDraft(ClusterSnapshot snapshot)
    {
        Snapshot = snapshot;
        Shape = QuorumShape.For(Spec.Storage.Copies);
        nodes = snapshot.Nodes.ToDictionary(n => n.Metadata.Name);
        nodeNames = [.. nodes.Keys];

        var claims = snapshot.Claims.Where(c => c.Metadata.Label(Names.RoleLabel) == Names.Storage).ToDictionary(c => c.Metadata.Name);
        var pods = snapshot.Pods.Where(p => p.Role() == Names.Storage).ToDictionary(p => p.Metadata.Name);
        var placed = new Dictionary<int, string?>();
        for (var i = 0; i < Shape.Copies; i++)
        {
            if (claims.TryGetValue(Names.StoragePod(Name, i), out var claim))
            {
                placed[i] = claim.Metadata.Label(Names.ZoneLabel);
            }
        }

        KnownZones = Zones.Known(Spec, snapshot.Nodes);
        var zones = Zones.Assign(Shape.Copies, placed, KnownZones);
        var lagging = snapshot.Pods.Where(p => p.Role() == Names.Compute).Select(p => snapshot.Reports.GetValueOrDefault(p.Metadata.Name))
            .OfType<PodReport>().SelectMany(r => r.Lagging()).ToLookup(l => l.Name, l => l.Group);
        Copies =
        [
            .. Enumerable.Range(0, Shape.Copies).Select(i =>
            {
                var name = Names.StoragePod(Name, i);
                return new CopyState(i, name, zones[i], claims.GetValueOrDefault(name), pods.GetValueOrDefault(name), snapshot.Reports.GetValueOrDefault(name), lagging[$"storage-{i}"].ToHashSet());
            }),
        ];
        ComputePods =
        [
            .. snapshot.Pods.Where(p => p.Role() == Names.Compute).OrderBy(p => Names.ComputeGeneration(Name, p.Metadata.Name)),
        ];

        // A volume that exists knows its id; so a cluster that takes up retained volumes goes on with theirs.
        VolumeId = Cluster.Status?.VolumeId
            ?? claims.Values.Select(c => c.Metadata.Label(Names.VolumeLabel)).FirstOrDefault(v => v is not null)
            ?? Cluster.Metadata.Uid;
    }

    public ClusterSnapshot Snapshot { get; }
    public DatabaseCluster Cluster => Snapshot.Cluster;
    public DatabaseClusterSpec Spec => Cluster.Spec;
    public DatabaseClusterStatus OldStatus => Cluster.Status ?? new DatabaseClusterStatus();
    public string Name => Cluster.Metadata.Name;
    public QuorumShape Shape { get; }
    public int Groups => Spec.Storage.Groups;
    public string VolumeId { get; }
    public IReadOnlyList<string> KnownZones { get; }
    public IReadOnlyList<CopyState> Copies { get; }

    /// <summary>All compute pods, oldest first.</summary>
    public IReadOnlyList<V1Pod> ComputePods { get; }

    public string StorageImage => Spec.Images.Storage ?? Snapshot.Options.StorageImage;

    /// <summary>Image that the compute pod shall have in the end.</summary>
    public string ComputeImage => Spec.Images.Compute ?? Snapshot.Options.ComputeImages[Spec.Postgres.Version];

    /// <summary>Whether the volume was ever opened by a writer.</summary>
    public bool WasOpened => OldStatus.Epoch is > 0;

    public List<PlanStep> Steps { get; } = [];
    public List<PlannedEvent> Events { get; } = [];
    public List<Problem> Problems { get; } = [];

    /// <summary>What the operator is doing now, in words, most important first.</summary>
    public List<string> Activities { get; } = [];
    public TimeSpan? CheckAgainAfter { get; private set; }

    /// <summary>Filled in by <see cref="ParametersPlan"/>: hashes of the ConfigMap and of the parameters file in it.</summary>
    public string ConfigHash { get; set; } = "";
    public string ParametersFileHash { get; set; } = "";

    /// <summary>Filled in by <see cref="SecretsPlan"/>: hashes of what the Secrets hold; null while that is not known.</summary>
    public string? SecretsHash { get; set; }
    public string? AuthHash { get; set; }

    /// <summary>Filled in by <see cref="ComputePlan"/>.</summary>
    public string? Primary { get; set; }
    public long ComputeGeneration { get; set; }
    public string? ChosenComputeImage { get; set; }

    /// <summary>Filled in by <see cref="ImageFallback"/>: the image that last served, and the one that the spec names and no node could get.</summary>
    public string? LastGoodComputeImage { get; set; }
    public string? FailedComputeImage { get; set; }

    /// <summary>Filled in by <see cref="StoragePlan"/>: whether every storage pod is what the spec asks for.</summary>
    public bool StorageIsCurrent { get; set; }

    /// <summary>Groups with fewer segments that take log than a write quorum, with their number.</summary>
    public IEnumerable<(int Group, int Count)> GroupsWithoutWriteQuorum() =>
        Enumerable.Range(0, Groups).Select(g => (Group: g, Count: Copies.Count(c => c.TakesLog(g, !WasOpened) || Remembered(c, g) is "complete" or "behind"))).Where(g => g.Count < Shape.Write);

    /// <summary>
    /// The state of a segment in the old status, while its ready pod has not been asked yet: an operator that has just started
    /// must not tell that everything is broken. Never used to decide about taking a pod away.
    /// </summary>
    public string? Remembered(CopyState copy, int group) => copy is { IsReady: true, Report: null }
        ? OldStatus.Segments?.FirstOrDefault(s => s.Name == copy.Name && s.Group == group)?.State : null;

    public ObjectKey Key(string name) => new(Cluster.Metadata.NamespaceProperty, name);

    public void Apply(IKubernetesObject<V1ObjectMeta> value, bool optional = false) => Steps.Add(new PlanStep.Apply(value, optional));

    /// <param name="value">The object.</param>
    /// <param name="why">The reason in words for the log.</param>
    /// <param name="told">Events to record once it is made.</param>
    public void Create(IKubernetesObject<V1ObjectMeta> value, string why, params PlannedEvent[] told) => Steps.Add(new PlanStep.Create(value, why) { Told = told });

    /// <summary>Deletes this very pod unless that is under way.</summary>
    public void DeletePod(V1Pod pod, string why, params PlannedEvent[] told)
    {
        if (!pod.IsTerminating())
        {
            Steps.Add(new PlanStep.Delete(ResourceType.Pods, ObjectKey.Of(pod), pod.Metadata.Uid, null, why) { Told = told });
        }
    }

    public void Event(string reason, string message, bool warning = false) => Events.Add(new PlannedEvent(warning, reason, message));

    /// <summary>Plans again after a while, the shortest of all wishes.</summary>
    public void CheckAgain(TimeSpan after)
    {
        if (CheckAgainAfter is null || after < CheckAgainAfter)
        {
            CheckAgainAfter = after < TimeSpan.FromMilliseconds(50) ? TimeSpan.FromMilliseconds(50) : after;
        }
    }

    /// <summary>Why the node of a pod cannot run it any more; null when it can, or when nodes cannot be seen.</summary>
    public string? NodeTrouble(V1Pod pod)
    {
        if (pod.Spec?.NodeName is not { Length: > 0 } name || nodeNames.Count == 0)
        {
            return null;
        }

        if (nodes.TryGetValue(name, out var node))
        {
            return node.IsReady() ? null : $"node {name} is not ready";
        }

        // A node that joined a moment ago may not have been seen yet.
        return Snapshot.Now - (pod.Metadata.CreationTimestamp ?? Snapshot.Now) > TimeSpan.FromSeconds(10) ? $"node {name} is gone" : null;
    }

    public bool SomeNodeIsCordoned => nodes.Values.Any(n => n.Spec?.Unschedulable == true);

    /// <summary>Whether nodes are known and every one of them that pods of the cluster may run on is cordoned.</summary>
    public bool NothingTakesPods => nodes.Count > 0 && nodes.Values.Where(n => Zones.Admits(Spec, n)) is var places
        && places.Any() && places.All(n => n.Spec?.Unschedulable == true);

    /// <summary>The zone that a copy is in: that of its node, else the one that its volume is for.</summary>
    public string? ZoneOf(CopyState copy) =>
        copy.Pod?.Spec?.NodeName is { Length: > 0 } name && nodes.GetValueOrDefault(name)?.Metadata.Label(Spec.Storage.TopologyKey) is { Length: > 0 } zone ? zone : copy.Zone;

    /// <summary>Whether the server would take a pod in the place of one that serves; asks it when that is not known.</summary>
    public bool WouldBeTaken(V1Pod pod)
    {
        if (Snapshot.AcceptedPods?.Contains(pod.Metadata.Annotation(Names.SpecHashAnnotation) ?? "") != false)
        {
            return true;
        }

        Steps.Add(new PlanStep.CheckPod(pod));
        return false;
    }

    /// <summary>Whether the server refused to make pods of a role when it was last asked.</summary>
    public bool IsRefused(string role) => Snapshot.Refusals.Any(r => r.Subject == Refusal.PodsOf(role));

    public bool NodeIsGone(V1Pod pod) => pod.Spec?.NodeName is { Length: > 0 } name && NodeTrouble(pod) is not null && !nodes.ContainsKey(name);

    /// <summary>Whether a pod is what the builder would make today.</summary>
    public static bool IsCurrent(V1Pod pod, V1Pod wanted) =>
        pod.Metadata.Annotation(Names.SpecHashAnnotation) == wanted.Metadata.Annotation(Names.SpecHashAnnotation);
}
