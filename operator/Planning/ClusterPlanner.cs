using Redoubt.Operator.Planning.Builders;

namespace Redoubt.Operator.Planning;

/// <summary>
/// The operator's judgement, free of input and output: observation in, plan out. The order of the parts is the order in
/// which a cluster comes up: what pods refer to, storage, compute, the way to it; then what to tell about it.
/// The plan depends on nothing that is not in the snapshot, so an operator that was killed half way goes on where it was.
/// </summary>
public static class ClusterPlanner
{
    public static ClusterPlan Plan(ClusterSnapshot snapshot)
    {
        var draft = new PlanDraft(snapshot);
        if (snapshot.Cluster.Metadata.DeletionTimestamp is not null)
        {
            return DeletionPlan.Plan(draft);
        }

        var me = snapshot.Options.Name;
        if (snapshot.Cluster.Metadata.Finalizers?.Contains(Names.Finalizer) != true || OperatorClaim.IsDue(snapshot.Cluster, me, snapshot.Now))
        {
            draft.Steps.Add(new PlanStep.SetFinalizer(true, new OperatorClaim(me, snapshot.Now).ToString()));
        }

        if (RetainedVolumesPlan.Refuses(draft))
        {
            return StatusPlan.Finish(draft);
        }

        foreach (var refusal in snapshot.Refusals.Where(r => r.IsTold))
        {
            draft.Problems.Add(refusal.ToProblem());
        }

        UpkeepPlan.Plan(draft);
        StoragePlan.Plan(draft);
        ComputePlan.Plan(draft);
        draft.Apply(ServiceBuilder.ReadWrite(draft.Cluster, draft.Primary));
        PlacementPlan.Check(draft);
        return StatusPlan.Finish(draft);
    }
}
