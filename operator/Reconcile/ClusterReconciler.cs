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
    OperatorOptions options, ObjectCaches caches, PlanExecutor executor, StatusWriter statusWriter, EventRecorder events,
    DataPlaneMonitor monitor, Expectations expectations, OperatorMetrics metrics, TimeProvider time, ILogger log)
{
    public static readonly ActivitySource Tracing = new("Redoubt.Operator");

    /// <returns>When to look again though nothing changes; null: only on a change.</returns>
    /// <exception cref="KubeApiException">The API server refused; try again later.</exception>
    public async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken cancel)
    {
        var cluster = caches.Clusters.Get(key);
        if (cluster is null)
        {
            Forget(key);
            return null;
        }

        if (!expectations.AreMet(key))
        {
            // A change in the caches brings the cluster back; this is for the case that none comes.
            return TimeSpan.FromMilliseconds(200);
        }

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
        };
        var plan = ClusterPlanner.Plan(snapshot);
        List<PlannedEvent> told = [.. plan.Events];
        KubeApiException? refused = null;
        try
        {
            told.AddRange(await executor.DoAsync(cluster, plan.Steps, cancel));
        }
        catch (KubeApiException e) when (e.IsPermanent && plan.Status is not null)
        {
            // Tell it where people look; then back off.
            refused = e;
            var reason = e.Reason == PlanExecutor.NameTaken ? PlanExecutor.NameTaken : "ApplyFailed";
            told.Add(new PlannedEvent(true, reason, e.Message));
            Degrade(plan.Status, reason, e.Message);
        }

        if (plan.Status is { } status)
        {
            if (await statusWriter.WriteAsync(cluster, status, cancel) is { } version)
            {
                expectations.Expect(key, () => caches.Clusters.HasSeen(version));
            }

            if (status.Phase != cluster.Status?.Phase)
            {
                Log.Phase(log, key.ToString(), status.Phase ?? "");
            }

            Measure(key, status);
        }

        foreach (var planned in told)
        {
            await events.RecordAsync(cluster, planned, cancel);
        }

        var busy = plan.Status?.Conditions?.Any(c => (c.Type == ConditionTypes.Progressing && c.Status == "True") || (c.Type == ConditionTypes.Degraded && c.Status == "True")) == true;
        monitor.Track(key, pods, busy);
        return refused is null ? plan.CheckAgainAfter : throw refused;
    }

    /// <summary>Drops everything that is remembered about a cluster.</summary>
    private void Forget(ObjectKey key)
    {
        monitor.Track(key, [], busy: false);
        executor.Forget(key);
        statusWriter.Forget(key);
        expectations.Forget(key);
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

    private void Degrade(DatabaseClusterStatus status, string reason, string message)
    {
        var degraded = status.Conditions!.First(c => c.Type == ConditionTypes.Degraded);
        if (degraded.Status != "True")
        {
            degraded.LastTransitionTime = Seconds(time.GetUtcNow().UtcDateTime);
        }

        degraded.Status = "True";
        degraded.Reason = reason;
        degraded.Message = message;
    }

    // Times in the API have whole seconds.
    private static DateTime Seconds(DateTime value) => new(value.Ticks - (value.Ticks % TimeSpan.TicksPerSecond), DateTimeKind.Utc);
}
