using k8s.Models;
using Redoubt.Operator.Planning.Builders;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Planning;

/// <summary>
/// Volumes and pods of the copies. Missing ones are made at once, all in parallel: that never weakens anything. Taking a
/// pod away that still serves is another matter, and happens to one at a time while all others are complete (<see cref="StorageRollPlan"/>).
/// </summary>
internal static class StoragePlan
{
    public static void Plan(PlanDraft draft)
    {
        var wanted = draft.Copies.ToDictionary(
            c => c.Index, c =>
            {
                var pod = StoragePodBuilder.Build(draft.Cluster, draft.Snapshot.Options.RunAsUser, c.Index, c.Zone, draft.VolumeId, draft.StorageImage);
                SecretsPlan.Stamp(draft, pod);
                return pod;
            });
        CheckStorageClass(draft);
        foreach (var copy in draft.Copies)
        {
            if (Volume(draft, copy))
            {
                Pod(draft, copy, wanted[copy.Index]);
            }
        }

        StorageRollPlan.Plan(draft, wanted);
    }

    /// <returns>Whether a pod can use the volume.</returns>
    private static bool Volume(PlanDraft draft, CopyState copy)
    {
        if (copy.Claim is null)
        {
            draft.Create(
                ClaimBuilder.Build(draft.Cluster, copy.Index, copy.Zone, draft.VolumeId, draft.Spec.Storage.Size),
                draft.WasOpened ? $"the volume of {copy.Name} is gone; the copy is rebuilt from its peers" : $"{copy.Name} needs a volume",
                draft.WasOpened ? [new PlannedEvent(true, "VolumeReplaced", $"The volume of {copy.Name} is gone; it gets an empty one and is rebuilt from its peers")] : []);
            return true;
        }

        var lost = copy.Claim.Status?.Phase == "Lost";
        if (IsTooLargeToBind(draft, copy.Claim))
        {
            // A claim that is not bound cannot be changed, and holds nothing.
            draft.Steps.Add(new PlanStep.Delete(ResourceType.Claims, ObjectKey.Of(copy.Claim), copy.Claim.Metadata.Uid, null, $"the volume of {copy.Name} was never made, and the spec asks for a smaller one"));
            if (copy.Pod is not null)
            {
                draft.DeletePod(copy.Pod, $"the volume of {copy.Name} is asked for anew");
            }

            return false;
        }

        if (copy.Claim.Metadata.DeletionTimestamp is null && !lost)
        {
            draft.Apply(ClaimBuilder.Build(draft.Cluster, copy.Index, copy.Claim.Metadata.Label(Names.ZoneLabel), draft.VolumeId, Size(draft, copy.Claim)));
            return true;
        }

        // The volume is on its way out. Its pod holds it back, and the copy is worth something as long as the others lack anything.
        if (!OthersComplete(draft, copy))
        {
            draft.Problems.Add(new Problem(
                lost ? "VolumeLost" : "VolumeDeletionHeld",
                lost
                    ? $"The volume of {copy.Name} has lost its disk, and it is not replaced while other copies are incomplete"
                    : $"The volume of {copy.Name} is being deleted; the pod keeps it while other copies are incomplete"));
            return copy.Pod is not null;
        }

        if (lost && copy.Claim.Metadata.DeletionTimestamp is null)
        {
            draft.Steps.Add(new PlanStep.Delete(ResourceType.Claims, ObjectKey.Of(copy.Claim), copy.Claim.Metadata.Uid, null, $"the volume of {copy.Name} has lost its disk"));
        }

        if (copy.Pod is not null)
        {
            draft.DeletePod(copy.Pod, $"the volume of {copy.Name} is going; the copy is rebuilt on a new one");
        }

        draft.Activities.Add($"Replacing the volume of {copy.Name}");
        return false;
    }

    private static void Pod(PlanDraft draft, CopyState copy, V1Pod wanted)
    {
        var pod = copy.Pod;
        if (pod is null)
        {
            draft.Create(
                wanted, draft.WasOpened ? $"{copy.Name} is missing" : $"copy {copy.Index} needs a pod",
                draft.WasOpened && copy.Claim is not null ? [new PlannedEvent(false, "StoragePodReplaced", $"{copy.Name} was missing and is started again on its volume")] : []);
            return;
        }

        if (draft.NodeIsGone(pod))
        {
            // Nobody is left to confirm the end of the pod; a node that is gone from the API is gone for good.
            draft.Steps.Add(new PlanStep.Delete(ResourceType.Pods, ObjectKey.Of(pod), pod.Metadata.Uid, 0, draft.NodeTrouble(pod)!));
        }
        else if (pod.IsTerminal())
        {
            draft.DeletePod(
                pod, $"it has ended ({pod.Status?.Reason ?? pod.Status?.Phase})",
                new PlannedEvent(true, "StoragePodEnded", $"{copy.Name} was ended by its node ({pod.Status?.Reason ?? pod.Status?.Phase}){(string.IsNullOrEmpty(pod.Status?.Message) ? "" : $": {pod.Status.Message}")}"));
        }
        else if (SecretsPlan.HasOldSharedSecret(draft, pod))
        {
            draft.DeletePod(pod, "the shared secret of the processes has changed, and those with the old one are no peers of those with the new");
        }
        else if (draft.NodeTrouble(pod) is { } trouble)
        {
            draft.Problems.Add(new Problem("NodeLost", $"{copy.Name} cannot be reached: {trouble}"));
        }
        else if (pod.Trouble() is { } found)
        {
            draft.Problems.Add(new Problem(found.Reason, found.Message));
        }
        else if (copy.Answers && copy.Report!.Storage!.Segments.FirstOrDefault(s => s.State == "failed") is { } failed)
        {
            draft.Problems.Add(new Problem("SegmentFailed", $"{copy.Name} group {failed.Group} has failed: {failed.Message}"));
        }
    }

    private static bool OthersComplete(PlanDraft draft, CopyState copy) =>
        draft.Copies.Where(c => c.Index != copy.Index).All(c => c.IsComplete(draft.Groups)) && draft.Shape.Copies > 1;

    private static bool IsTooLargeToBind(PlanDraft draft, V1PersistentVolumeClaim claim) =>
        !draft.WasOpened && claim.Metadata.DeletionTimestamp is null && claim.Status?.Phase is null or "Pending"
        && claim.Spec.Resources.Requests["storage"].ToDecimal() > new ResourceQuantity(draft.Spec.Storage.Size).ToDecimal();

    /// <summary>The size to ask for: the spec's, unless that is less or the class of the volume cannot grow.</summary>
    private static string Size(PlanDraft draft, V1PersistentVolumeClaim claim)
    {
        var have = claim.Spec.Resources.Requests["storage"];
        var want = new ResourceQuantity(draft.Spec.Storage.Size);
        if (want.ToDecimal() <= have.ToDecimal() || claim.Status?.Phase != "Bound")
        {
            // A claim that is not bound yet cannot be changed; it grows once it is.
            return have.ToString();
        }

        var className = claim.Spec.StorageClassName;
        var storageClass = draft.Snapshot.StorageClasses.FirstOrDefault(s => s.Metadata.Name == className);
        if (draft.Snapshot.StorageClasses.Count > 0 && storageClass?.AllowVolumeExpansion != true)
        {
            draft.Problems.Add(new Problem(
                "VolumeCannotGrow",
                $"Volume {claim.Metadata.Name} cannot grow from {have} to {want}: StorageClass {className} does not allow expansion; "
                + $"set allowVolumeExpansion: true on the class, or write {have} into spec.storage.size"));
            return have.ToString();
        }

        return draft.Spec.Storage.Size;
    }

    private static void CheckStorageClass(PlanDraft draft)
    {
        var unbound = draft.Copies.Where(c => c.Claim is null || c.Claim.Status?.Phase is null or "Pending").ToList();
        if (unbound.Count == 0)
        {
            return;
        }

        var named = draft.Spec.Storage.StorageClassName;
        var classes = draft.Snapshot.StorageClasses;
        if (named is not null && classes.All(s => s.Metadata.Name != named))
        {
            draft.Problems.Add(new Problem(
                "StorageClassMissing",
                $"StorageClass {named} does not exist, so {unbound.Count} of {draft.Shape.Copies} volumes wait: make it, or make the cluster with one of "
                + (classes.Count == 0 ? "your own" : string.Join(", ", classes.Select(s => s.Metadata.Name).Order(StringComparer.Ordinal))),
                Blocks: true));
        }
        else if (named is null && !classes.Any(s => s.Metadata.Annotation("storageclass.kubernetes.io/is-default-class") == "true")
            && unbound.Any(c => c.Claim?.Spec.StorageClassName is null))
        {
            draft.Problems.Add(new Problem(
                "StorageClassMissing",
                "The Kubernetes cluster has no default StorageClass: mark one as the default, or make the cluster with spec.storage.storageClassName",
                Blocks: true));
        }
    }
}
