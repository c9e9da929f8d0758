using k8s;
using k8s.Models;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Planning;

/// <summary>One thing to do. Steps are done in order; each may be repeated without harm.</summary>
/// <param name="Why">The reason in words for the log, empty for the ordinary upkeep of an object.</param>
public abstract record PlanStep(string Why)
{
    /// <summary>Events to record once the step is done, and only then.</summary>
    public IReadOnlyList<PlannedEvent> Told { get; init; } = [];

    /// <summary>Make the object be like this, by server-side apply, unless it is already.</summary>
    /// <param name="Object">Holds only the fields that the operator owns.</param>
    /// <param name="Optional">Whether the cluster gets on without it when the server does not know the kind.</param>
    public sealed record Apply(IKubernetesObject<V1ObjectMeta> Object, bool Optional = false) : PlanStep("");

    /// <summary>Create the object if there is none of its name.</summary>
    public sealed record Create(IKubernetesObject<V1ObjectMeta> Object, string Why) : PlanStep(Why);

    /// <summary>Delete an object.</summary>
    /// <param name="Type">Its kind.</param>
    /// <param name="Key">Its name.</param>
    /// <param name="Uid">Only this very one; null: whichever has the name.</param>
    /// <param name="GraceSeconds">Null: its own grace period.</param>
    /// <param name="Why">The reason in words.</param>
    public sealed record Delete(ResourceType Type, ObjectKey Key, string? Uid, int? GraceSeconds, string Why) : PlanStep(Why);

    /// <summary>Ask the server whether it would take a pod, before one that serves makes way for it.</summary>
    public sealed record CheckPod(k8s.Models.V1Pod Pod) : PlanStep("");

    /// <summary>Set annotations of a pod.</summary>
    public sealed record AnnotatePod(ObjectKey Key, IReadOnlyDictionary<string, string> Annotations, string Why) : PlanStep(Why);

    /// <summary>Put the operator's finalizer and its name on the cluster, or take them off.</summary>
    /// <param name="Present">Whether they shall be there.</param>
    /// <param name="Claim">Value of the annotation that names the operator; null when it is taken off.</param>
    public sealed record SetFinalizer(bool Present, string? Claim = null) : PlanStep(Present ? "" : "everything of the cluster is gone");
}
