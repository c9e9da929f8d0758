using k8s.Models;

namespace Redoubt.Operator.Planning;

/// <summary>
/// How far a drain may go. One copy at a time, as long as the copy that went can come back elsewhere; down to the write quorum where it
/// cannot, because its volume is on the node that is drained; and without limit when there is one copy only or no node is left that takes pods:
/// nothing could be kept then, and a drain must end.
/// </summary>
internal static class DrainPlan
{
    public static int MinAvailable(PlanDraft draft)
    {
        if (draft.Shape.Copies == 1 || draft.NothingTakesPods)
        {
            return 0;
        }

        var cannotReturn = draft.Copies.Any(c => c.Pod?.Trouble() is { Reason: "Unschedulable" } && draft.SomeNodeIsCordoned);
        return cannotReturn ? draft.Shape.Write : draft.Shape.Copies - 1;
    }
}
