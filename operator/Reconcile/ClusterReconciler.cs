using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using k8s.Models;
using Microsoft.Extensions.Logging;
using Redoubt.Operator.Api;
using Redoubt.Operator.Planning;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Reconcile;

/// <summary>Brings one cluster a step further: observe, plan, do, tell.</summary>
public sealed class ClusterReconciler(
    OperatorOptions options, ObjectCaches caches, PlanExecutor executor, Refusals refusals, StatusWriter statusWriter, EventRecorder events,
    DataPlaneMonitor monitor, Expectations expectations, OperatorMetrics metrics, TimeProvider time, ILogger log)
{
    public static readonly ActivitySource Tracing = new("Redoubt.Operator");

    /// <returns>When to look again though nothing changes; null: only on a change.</returns>
    /// <exception cref="KubeApiException">The caches are behind, or the server failed; try again soon.</exception>
    public async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken cancel)
    {
        var cluster = caches.Clusters.Get(key);
        if (cluster is null || options.ExcludeNamespaces.Contains(key.Namespace))
        {
            Forget(key);
            return null;
        }

        if (OperatorClaim.OfAnother(cluster, options.Name, time.GetUtcNow().UtcDateTime) is { } other)
        {
            return await StandAsideAsync(cluster, other, cancel);
        }

        if (!expectations.AreMet(key))
        {
            // A change in the caches brings the cluster back; this is for the case that none comes.
            return TimeSpan.FromMilliseconds(200);
        }

        standing.TryRemove(key, out _);
        using var activity = Tracing.StartActivity("reconcile");
        activity?.SetTag("redoubt.cluster", key.ToString());
        var pods = caches.Pods.OwnedBy(key);
        var snapshot = new ClusterSnapshot
        {
            Cluster = cluster,
            Options = options,
            Now = Seconds(time.GetUtcNow().UtcDateTime),
            NewPassword = () => RandomNumberGenerator.GetString("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 32),
            Pods = pods,
            Claims = caches.Claims.OwnedBy(key),
            Secrets = caches.Secrets.OwnedBy(key),
            Nodes = [.. caches.Nodes.All],
            StorageClasses = [.. caches.StorageClasses.All],
            Reports = monitor.Reports(key),
            SlowStorage = monitor.SlowStorage(),
            AcceptedPods = executor.AcceptedPods,
            Refusals = refusals.Of(key),
            LostSecrets = caches.LostSecrets(key),
        };
        var plan = ClusterPlanner.Plan(snapshot);
        var done = await executor.DoAsync(cluster, plan.Steps, cancel);
        var refused = refusals.Of(key);
        if (!SameFacts(refused, snapshot.Refusals))
        {
            // What is told must be true after the steps, not before.
            plan = ClusterPlanner.Plan(snapshot with { Refusals = refused });
        }

        if (plan.Status is { } status)
        {
            if (await statusWriter.WriteAsync(cluster, status, cancel) is { } version)
            {
                expectations.Expect(key, () => caches.Clusters.HasSeen(version));
            }

            if (status.Phase != cluster.Status?.Phase)
            {
                Log.Phase(log, key.ToString(), status.Phase == status.Message ? status.Phase ?? "" : $"{status.Phase} ({status.Message})");
            }

            Measure(key, status);
        }

        foreach (var planned in done.Concat(plan.Events))
        {
            await events.RecordAsync(cluster, planned, cancel);
        }

        var busy = plan.Status?.Conditions?.Any(c => (c.Type == ConditionTypes.Progressing && c.Status == "True") || (c.Type == ConditionTypes.Degraded && c.Status == "True")) == true;
        monitor.Track(key, pods, busy);
        if (plan.Steps.OfType<PlanStep.CheckPod>().Any() && !refused.Any(r => r.Subject.StartsWith("changed Pod ", StringComparison.Ordinal)))
        {
            return TimeSpan.FromMilliseconds(50); // it would be taken: go on
        }

        return new[] { plan.CheckAgainAfter, refusals.NextTry(key), plan.Status is null ? null : OperatorClaim.Renewal }.Where(t => t is not null).Min();
    }

    /// <summary>Another operator looks after the cluster: say so on it, and look again when that operator should have said that it is still there.</summary>
    private async Task<TimeSpan?> StandAsideAsync(DatabaseCluster cluster, OperatorClaim other, CancellationToken cancel)
    {
        var key = ObjectKey.Of(cluster);
        if (standing.TryAdd(key, other.Operator))
        {
            Forget(key);
            standing[key] = other.Operator;
            Log.StandingAside(log, key.ToString(), other.Operator);
        }
        else
        {
            return Left();
        }

        if (other.Operator != OperatorClaim.Uninstalled)
        {
            await events.RecordAsync(
                cluster,
                new PlannedEvent(
                    true, "TwoOperators",
                    $"Operator {options.Name} watches this namespace too and stands aside, because {other.Operator} looks after the cluster: exclude the namespace in one of them "
                    + "(watchNamespace or excludeNamespaces of the chart)"),
                cancel);
        }

        return Left();
        TimeSpan Left() => other.Said + OperatorClaim.Life - time.GetUtcNow().UtcDateTime + TimeSpan.FromSeconds(1);
    }

    private static bool SameFacts(IReadOnlyList<Refusal> a, IReadOnlyList<Refusal> b) =>
        a.Count == b.Count && a.Zip(b).All(p => p.First.Subject == p.Second.Subject && p.First.IsTold == p.Second.IsTold && p.First.Error.Message == p.Second.Error.Message);

    private readonly ConcurrentDictionary<ObjectKey, string> standing = new();

    /// <summary>Drops everything that is remembered about a cluster.</summary>
    private void Forget(ObjectKey key)
    {
        standing.TryRemove(key, out _);
        monitor.Track(key, [], busy: false);
        executor.Forget(key);
        statusWriter.Forget(key);
        expectations.Forget(key);
        caches.ForgetSecrets(key);
        metrics.ClusterReady.RemoveLabelled(key.Namespace, key.Name);
        foreach (var state in SegmentStates)
        {
            metrics.ClusterSegments.RemoveLabelled(key.Namespace, key.Name, state);
        }
    }

    private static readonly string[] SegmentStates = ["complete", "behind", "repairing", "failed", "starting", "missing", "unreachable"];

    private void Measure(ObjectKey key, DatabaseClusterStatus status)
    {
        var ready = status.Conditions?.Any(c => c is { Type: ConditionTypes.Ready, Status: "True" }) == true;
        metrics.ClusterReady.WithLabels(key.Namespace, key.Name).Set(ready ? 1 : 0);
        foreach (var state in SegmentStates)
        {
            metrics.ClusterSegments.WithLabels(key.Namespace, key.Name, state).Set(status.Segments?.Count(s => s.State == state) ?? 0);
        }
    }

    // Times in the API have whole seconds.
    private static DateTime Seconds(DateTime value) => new(value.Ticks - (value.Ticks % TimeSpan.TicksPerSecond), DateTimeKind.Utc);
}
