using k8s.Models;

namespace Redoubt.Operator.Planning;

/// <summary>Tells when the loss of one machine would stop commits, or when nobody can tell whether the loss of one zone would.</summary>
internal static class PlacementPlan
{
    public static void Check(PlanDraft draft)
    {
        // A cluster that is still being made is not misplaced yet.
        if (draft.Shape.Copies == 1 || draft.Snapshot.Nodes.Count == 0 || draft.Copies.Any(c => c.Pod?.Spec?.NodeName is not { Length: > 0 }))
        {
            return;
        }

        var crowded = draft.Copies.GroupBy(c => c.Pod!.Spec.NodeName).MaxBy(g => g.Count())!;
        if (crowded.Count() > draft.Shape.Copies - draft.Shape.Write)
        {
            draft.Problems.Add(new Problem(
                "Placement",
                $"{crowded.Count()} of {draft.Shape.Copies} copies are on node {crowded.Key}, and its loss stops commits: add nodes, then delete pods of that node one at a time"));
            return;
        }

        if (draft.Copies.All(c => draft.ZoneOf(c) is null))
        {
            draft.Problems.Add(new Problem(
                "Placement",
                $"No node has the label {draft.Spec.Storage.TopologyKey}, so nobody can tell whether the loss of one zone stops commits: label the nodes, "
                + "or make the cluster with spec.storage.topologyKey kubernetes.io/hostname where every node stands for itself"));
        }
    }
}
