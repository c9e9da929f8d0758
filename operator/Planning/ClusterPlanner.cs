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

        if (snapshot.Cluster.Metadata.Finalizers?.Contains(Names.Finalizer) != true)
        {
            draft.Steps.Add(new PlanStep.SetFinalizer(true));
        }

        if (RetainedVolumesPlan.Refuses(draft))
        {
            return StatusPlan.Finish(draft);
        }

        UpkeepPlan.Plan(draft);
        StoragePlan.Plan(draft);
        ComputePlan.Plan(draft);
        draft.Apply(ServiceBuilder.ReadWrite(draft.Cluster, draft.Primary));
        return StatusPlan.Finish(draft);
    }
}
