using k8s.Models;

namespace Redoubt.Operator.Planning;

/// <summary>
/// Brings storage pods to what the spec asks for (image, resources, placement), one at a time: the next goes only when all
/// others are complete, so that no group ever misses two segments through our doing. Pods that serve nothing go first and
/// without waiting, so that a wrong image can be put right.
/// </summary>
internal static class StorageRollPlan
{
    public static void Plan(PlanDraft draft, IReadOnlyDictionary<int, V1Pod> wanted)
    {
        var outdated = draft.Copies
            .Where(c => c.Pod is not null && !c.Pod.IsTerminal() && !PlanDraft.IsCurrent(c.Pod, wanted[c.Index])).ToList();
        draft.StorageIsCurrent = outdated.Count == 0 && draft.Copies.All(c => c.IsComplete(draft.Groups));
        if (outdated.Count == 0)
        {
            return;
        }

        var done = draft.Shape.Copies - outdated.Count;
        draft.Activities.Add($"Upgrading storage ({done} of {draft.Shape.Copies} pods done)");
        foreach (var copy in outdated.Where(c => !c.IsReady))
        {
            draft.DeletePod(copy.Pod!, $"{copy.Name} does not serve and is replaced by what the spec asks for");
        }

        if (outdated.Any(c => !c.IsReady))
        {
            return;
        }

        var next = outdated[0];
        if (draft.Copies.Where(c => c.Index != next.Index).All(c => c.IsComplete(draft.Groups)) && draft.WouldBeTaken(wanted[next.Index]))
        {
            draft.DeletePod(
                next.Pod!, $"{next.Name} is replaced by what the spec asks for; all others are complete",
                new PlannedEvent(false, "StorageUpgrading", $"{next.Name} is replaced by what the spec asks for"));
        }
    }
}
