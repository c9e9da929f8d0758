using Redoubt.Operator.Planning.Builders;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Planning;

/// <summary>What pods refer to and what stands around them: identity, Secrets, configuration, Services, policies.</summary>
internal static class UpkeepPlan
{
    public static void Plan(PlanDraft draft)
    {
        var cluster = draft.Cluster;
        var options = draft.Snapshot.Options;
        draft.Apply(PolicyBuilder.ServiceAccount(cluster));
        SecretsPlan.Plan(draft);
        ParametersPlan.Plan(draft);
        draft.Apply(ServiceBuilder.Storage(cluster));
        draft.Apply(PolicyBuilder.StorageDisruptions(cluster, DrainPlan.MinAvailable(draft)));
        draft.Apply(PolicyBuilder.StorageNetwork(cluster, options.Namespace));
        draft.Apply(PolicyBuilder.ComputeNetwork(cluster, options.Namespace));
        if (draft.Spec.Monitoring.PodMonitor)
        {
            draft.Apply(PolicyBuilder.PodMonitor(cluster), optional: true);
        }
        else if (draft.OldStatus.ObservedGeneration is { } seen && seen != cluster.Metadata.Generation)
        {
            // PodMonitors are not watched (their kind may not exist), so one is looked for only when the spec has changed.
            draft.Steps.Add(new PlanStep.Delete(ResourceType.PodMonitors, draft.Key(draft.Name), null, null, ""));
        }
    }
}
