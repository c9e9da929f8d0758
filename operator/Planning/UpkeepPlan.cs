using System.Text;
using k8s.Models;
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
        Secret(draft, Names.AuthSecret(draft.Name), "secret", s => SecretBuilder.Auth(cluster, s));
        Secret(draft, Names.SuperuserSecret(draft.Name), "password", s => SecretBuilder.Superuser(cluster, s));
        Secret(draft, Names.AppSecret(draft.Name), "password", s => SecretBuilder.App(cluster, s));
        draft.Apply(PostgresConfigBuilder.Build(cluster));
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

    private static void Secret(PlanDraft draft, string name, string key, Func<string, V1Secret> build)
    {
        var existing = draft.Snapshot.Secrets.FirstOrDefault(s => s.Metadata.Name == name);
        if (existing?.Data is not null && existing.Data.TryGetValue(key, out var value) && value.Length > 0)
        {
            draft.Apply(build(Encoding.UTF8.GetString(value)));
        }
        else if (existing is null)
        {
            // Created, not applied: should one exist that was not seen yet, its password must win.
            draft.Create(build(draft.Snapshot.NewPassword()), $"{name} is missing");
        }
        else
        {
            draft.Apply(build(draft.Snapshot.NewPassword()));
        }
    }
}
