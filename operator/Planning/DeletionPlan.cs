using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Planning;

/// <summary>
/// Takes a cluster down in order: compute, storage, then (policy <c>Delete</c>) the volumes; the finalizer last. What has an
/// owner reference goes by garbage collection after that.
/// </summary>
internal static class DeletionPlan
{
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
        if (draft.ComputePods.Count > 0)
        {
            draft.Activities.Add("Deleting: stopping PostgreSQL");
            foreach (var pod in draft.ComputePods)
            {
                draft.DeletePod(pod, "the cluster is deleted");
            }
        }
        else if (storagePods.Count > 0)
        {
            draft.Activities.Add($"Deleting: stopping storage ({storagePods.Count} pods left)");
            foreach (var pod in storagePods)
            {
                draft.DeletePod(pod, "the cluster is deleted");
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
            draft.Event(
                "Deleted",
                draft.Spec.DeletionPolicy == "Delete"
                    ? "The cluster and its volumes are deleted"
                    : "The cluster is deleted; its volumes and passwords are kept");
            draft.Steps.Add(new PlanStep.SetFinalizer(false));
            return new ClusterPlan(draft.Steps, null, draft.Events, null);
        }

        return StatusPlan.Finish(draft);
    }
}
