using k8s.Models;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Planning;

/// <summary>
/// Takes a cluster down in order: compute, storage, then (policy <c>Delete</c>) the volumes; the finalizer last. What has an
/// owner reference goes by garbage collection after that.
/// </summary>
internal static class DeletionPlan
{
    /// <summary>How long a pod on a silent node is waited for.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public static ClusterPlan Plan(PlanDraft draft)
    {
        if (draft.Cluster.Metadata.Finalizers?.Contains(Names.Finalizer) != true)
        {
            return new ClusterPlan([], null, [], null);
        }

        draft.Primary = draft.ComputePods.LastOrDefault()?.Metadata.Name;
        draft.ComputeGeneration = draft.OldStatus.ComputeGeneration ?? 0;
        draft.ChosenComputeImage = draft.OldStatus.ComputeImage;
        var storagePods = draft.Snapshot.Pods.Where(p => p.Role() == Names.Storage).ToList();
        foreach (var pod in draft.ComputePods)
        {
            Remove(draft, pod);
        }

        // What a silent node holds back is waited for beside the rest, not before it.
        if (draft.ComputePods.Any(p => draft.NodeTrouble(p) is null))
        {
            draft.Activities.Add("Deleting: stopping PostgreSQL");
        }
        else if (storagePods.Count > 0 || draft.ComputePods.Count > 0)
        {
            draft.Activities.Add($"Deleting: stopping storage ({storagePods.Count + draft.ComputePods.Count} pods left)");
            foreach (var pod in storagePods)
            {
                Remove(draft, pod);
            }
        }
        else if (draft.Spec.DeletionPolicy == "Delete" && draft.Snapshot.Claims.Count > 0)
        {
            draft.Activities.Add($"Deleting: deleting volumes ({draft.Snapshot.Claims.Count} left)");
            foreach (var claim in draft.Snapshot.Claims.Where(c => c.Metadata.DeletionTimestamp is null))
            {
                draft.Steps.Add(new PlanStep.Delete(ResourceType.Claims, ObjectKey.Of(claim), claim.Metadata.Uid, null, "the cluster is deleted with its data"));
            }
        }
        else
        {
            var how = draft.Spec.DeletionPolicy == "Delete" ? "The cluster and its volumes are deleted" : "The cluster is deleted; its volumes and passwords are kept";
            draft.Steps.Add(new PlanStep.SetFinalizer(false) { Told = [new PlannedEvent(false, "Deleted", how)] });
            return new ClusterPlan(draft.Steps, null, draft.Events, null);
        }

        return StatusPlan.Finish(draft);
    }

    /// <summary>
    /// Deletes a pod; one that is overdue on a node that does not answer, by force: nobody is left to confirm its end, and nothing will be
    /// started in its place.
    /// </summary>
    private static void Remove(PlanDraft draft, V1Pod pod)
    {
        draft.DeletePod(pod, "the cluster is deleted");
        if (!pod.IsTerminating() || draft.NodeTrouble(pod) is not { } trouble)
        {
            return;
        }

        // The time of deletion in the API is the end of the grace period, which means nothing to a node that is not there.
        var asked = pod.Metadata.DeletionTimestamp!.Value - TimeSpan.FromSeconds(pod.Metadata.DeletionGracePeriodSeconds ?? 0);
        var left = asked + Patience - draft.Snapshot.Now;
        if (left > TimeSpan.Zero)
        {
            draft.CheckAgain(left);
            return;
        }

        draft.Steps.Add(new PlanStep.Delete(ResourceType.Pods, ObjectKey.Of(pod), pod.Metadata.Uid, 0, $"the cluster is deleted and {trouble}"));
    }
}
