using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;
using Redoubt.Operator.Api;
using Redoubt.Operator.Planning;
using Redoubt.Operator.Planning.Builders;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Reconcile;

/// <summary>Does the steps of a plan, leaving out what is so already.</summary>
public sealed class PlanExecutor(KubeApi api, ObjectCaches caches, Expectations expectations, Refusals refusals, Repeats repeats, ILogger log)
{
    /// <summary>Reason of a refusal that is our own: somebody else's object has a name that the cluster needs.</summary>
    public const string NameTaken = "NameTaken";

    /// <summary>Hashes of pod specs that the server would take, with the cluster that asked.</summary>
    private readonly ConcurrentDictionary<string, ObjectKey> accepted = new();

    /// <summary>Hashes of pod specs that the server has said it would take, for any cluster.</summary>
    public IReadOnlySet<string> AcceptedPods => accepted.Keys.ToHashSet();

    /// <summary>By kind and name: what was applied last and the version that came of it, which no watch needs to confirm.</summary>
    private readonly ConcurrentDictionary<(ResourceType Type, ObjectKey Key), (string Hash, string Version)> applied = new();

    /// <summary>
    /// Does the steps; one that is refused is remembered and left for later, and those after it are done all the same: one object that cannot be
    /// must not keep a dead compute pod from being replaced.
    /// </summary>
    /// <returns>What is to be told: events of steps that were done, and about steps that the cluster gets on without.</returns>
    /// <exception cref="KubeApiException">The caches are behind (409), or the cluster could not be claimed.</exception>
    public async Task<IReadOnlyList<PlannedEvent>> DoAsync(DatabaseCluster cluster, IReadOnlyList<PlanStep> steps, CancellationToken cancel)
    {
        var key = ObjectKey.Of(cluster);
        var events = new List<PlannedEvent>();
        var subjects = new HashSet<string>();
        foreach (var step in steps)
        {
            var (subject, wish) = Identity(cluster, step);
            subjects.Add(subject);
            if (refusals.Stands(key, subject, wish))
            {
                continue;
            }

            try
            {
                await DoAsync(cluster, step, events, cancel);
                events.AddRange(step.Told);
                refusals.Remove(key, subject);
            }
            catch (KubeApiException e) when (!e.IsConflict && step is not PlanStep.SetFinalizer { Present: true })
            {
                refusals.Add(key, subject, wish, e);
                if (repeats.IsWorthSaying($"{key}/{subject}", e.Message, out var times))
                {
                    Log.Refused(log, key.ToString(), subject, e.Message, times);
                }
            }
        }

        refusals.Keep(key, subjects);
        return events;
    }

    /// <summary>What a step is about and what it asks for. The pods of a role are one subject: when one is refused, its likes are not tried.</summary>
    private static (string Subject, string Wish) Identity(DatabaseCluster cluster, PlanStep step)
    {
        var generation = cluster.Metadata.Generation?.ToString() ?? "";
        return step switch
        {
            PlanStep.Apply { Object: var o } => ($"{ResourceType.Of(o).Kind} {o.Metadata.Name}", generation + PodParts.Hash(KubernetesJson.Serialize(o))),
            PlanStep.Create { Object: V1Pod pod } => (Refusal.PodsOf(pod.Role() ?? ""), generation),
            PlanStep.Create { Object: V1PersistentVolumeClaim } => ("PersistentVolumeClaim " + Names.Storage, generation),
            PlanStep.Create { Object: var o } => ($"{ResourceType.Of(o).Kind} {o.Metadata.Name}", generation),
            PlanStep.Delete d => ($"deletion of {d.Type.Kind} {d.Key.Name}", d.Uid ?? generation),
            PlanStep.CheckPod c => ($"changed Pod {c.Pod.Role()}", c.Pod.Metadata.Annotation(Names.SpecHashAnnotation) ?? ""),
            PlanStep.AnnotatePod a => ($"annotation of Pod {a.Key.Name}", string.Join(',', a.Annotations.Values)),
            _ => ("finalizer", generation),
        };
    }

    private async Task DoAsync(DatabaseCluster cluster, PlanStep step, List<PlannedEvent> events, CancellationToken cancel)
    {
        switch (step)
        {
            case PlanStep.Apply apply:
                await ApplyAsync(cluster, apply, events, cancel);
                break;
            case PlanStep.Create create:
                await CreateAsync(cluster, create, cancel);
                break;
            case PlanStep.Delete delete:
                await DeleteAsync(cluster, delete, cancel);
                break;
            case PlanStep.CheckPod check:
                await api.CheckAsync(check.Pod, cancel);
                accepted[check.Pod.Metadata.Annotation(Names.SpecHashAnnotation)!] = ObjectKey.Of(cluster);
                break;
            case PlanStep.AnnotatePod annotate:
                await AnnotateAsync(cluster, annotate, cancel);
                break;
            case PlanStep.SetFinalizer finalizer:
                await SetFinalizerAsync(cluster, finalizer, cancel);
                break;
            default:
                throw new InvalidOperationException($"Unknown step {step.GetType()}.");
        }
    }

    /// <summary>Drops what is remembered about a cluster that is gone.</summary>
    public void Forget(ObjectKey cluster)
    {
        foreach (var key in applied.Keys.Where(k => k.Key.Namespace == cluster.Namespace && k.Key.Name.StartsWith(cluster.Name, StringComparison.Ordinal)))
        {
            applied.TryRemove(key, out _);
        }

        refusals.Keep(cluster, new HashSet<string>());
        foreach (var hash in accepted.Where(a => a.Value == cluster).Select(a => a.Key).ToList())
        {
            accepted.TryRemove(hash, out _);
        }
    }

    private async Task ApplyAsync(DatabaseCluster cluster, PlanStep.Apply step, List<PlannedEvent> events, CancellationToken cancel)
    {
        var value = step.Object;
        var type = ResourceType.Of(value);
        var key = ObjectKey.Of(value);
        value.ApiVersion = type.ApiVersion;
        value.Kind = type.Kind;
        var json = KubernetesJson.Serialize(value);
        var hash = PodParts.Hash(json);
        value.Metadata.Annotations ??= new Dictionary<string, string>();
        value.Metadata.Annotations[Names.SpecHashAnnotation] = hash;

        var existing = caches.Find(value);
        if (applied.TryGetValue((type, key), out var last) && last.Hash == hash
            && (step.Optional || existing?.Metadata.ResourceVersion == last.Version))
        {
            return;
        }

        // The hash tells about fields that we no longer want; the comparison about fields that others have changed.
        if (existing is not null && existing.Metadata.Annotation(Names.SpecHashAnnotation) == hash && Holds(json, existing))
        {
            return;
        }

        if (existing is null && !step.Optional)
        {
            await IsOursAsync(cluster, type, key, cancel);
        }

        try
        {
            var written = await api.ApplyAsync(value, cancel);
            applied[(type, key)] = (hash, written.ResourceVersion);
            expectations.Expect(ObjectKey.Of(cluster), () => caches.HasSeen(type, written.ResourceVersion));
            Log.Step(log, ObjectKey.Of(cluster).ToString(), $"applied {type.Kind} {key.Name}");
        }
        catch (KubeApiException e) when (step.Optional && (e.IsNotFound || e.IsPermanent))
        {
            applied[(type, key)] = (hash, "");
            events.Add(new PlannedEvent(true, "PodMonitorNotMade", $"No {type.Kind} could be made: {e.Message}; install the Prometheus operator or set spec.monitoring.podMonitor to false"));
        }
    }

    private async Task CreateAsync(DatabaseCluster cluster, PlanStep.Create step, CancellationToken cancel)
    {
        var type = ResourceType.Of(step.Object);
        var key = ObjectKey.Of(step.Object);
        try
        {
            if (step.Object is not V1Pod)
            {
                step.Object.ApiVersion = type.ApiVersion;
                step.Object.Kind = type.Kind;
                var hash = PodParts.Hash(KubernetesJson.Serialize(step.Object));
                step.Object.Metadata.Annotations ??= new Dictionary<string, string>();
                step.Object.Metadata.Annotations[Names.SpecHashAnnotation] = hash;
            }

            var written = await api.CreateAsync(step.Object, cancel);
            expectations.Expect(ObjectKey.Of(cluster), () => caches.HasSeen(type, written.ResourceVersion));
            Log.Step(log, ObjectKey.Of(cluster).ToString(), $"created {type.Kind} {key.Name}: {step.Why}");
        }
        catch (KubeApiException e) when (e.IsConflict)
        {
            // It exists, perhaps still on its way out; the cache will show it, and the next plan sees what it is.
            if (!await IsOursAsync(cluster, type, key, cancel))
            {
                throw; // gone in this moment: soon again
            }

            expectations.Expect(ObjectKey.Of(cluster), () => caches.Find(step.Object) is not null);
        }
    }

    /// <summary>Leaves alone what somebody else has made under a name that the cluster needs; the caches show only our own.</summary>
    /// <returns>Whether there is an object of ours of that name.</returns>
    /// <exception cref="KubeApiException">There is one of somebody else's.</exception>
    private async Task<bool> IsOursAsync(DatabaseCluster cluster, ResourceType type, ObjectKey key, CancellationToken cancel)
    {
        var found = await api.GetMetadataAsync(type, key, cancel);
        if (found is not null && found.Label(Names.ClusterLabel) != cluster.Metadata.Name
            && found.OwnerReferences?.Any(o => o.Uid == cluster.Metadata.Uid) != true)
        {
            throw new KubeApiException(
                HttpStatusCode.UnprocessableEntity, NameTaken,
                $"{type.Kind} {key.Name} exists and was not made for this cluster: delete it, or choose another name for the cluster");
        }

        return found is not null;
    }

    private async Task DeleteAsync(DatabaseCluster cluster, PlanStep.Delete step, CancellationToken cancel)
    {
        try
        {
            await api.DeleteAsync(step.Type, step.Key, step.Uid, step.GraceSeconds, cancel);
        }
        catch (KubeApiException e) when (e.IsConflict)
        {
            // Another object has the name by now.
        }

        if (step.Why.Length > 0)
        {
            Log.Step(log, ObjectKey.Of(cluster).ToString(), $"deleted {step.Type.Kind} {step.Key.Name}: {step.Why}");
        }

        IMetadata<V1ObjectMeta>? Cached() => step.Type == ResourceType.Pods ? caches.Pods.Get(step.Key)
            : step.Type == ResourceType.Claims ? caches.Claims.Get(step.Key) : null;
        expectations.Expect(ObjectKey.Of(cluster), () => Cached() is not { } now || now.Metadata.Uid != step.Uid || now.Metadata.DeletionTimestamp is not null);
    }

    private async Task AnnotateAsync(DatabaseCluster cluster, PlanStep.AnnotatePod step, CancellationToken cancel)
    {
        var annotations = new JsonObject();
        foreach (var (name, value) in step.Annotations)
        {
            annotations[name] = value;
        }

        try
        {
            var written = await api.MergePatchAsync<V1Pod>(step.Key, new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = annotations } }, cancel);
            expectations.Expect(ObjectKey.Of(cluster), () => caches.HasSeen(ResourceType.Pods, written.Metadata.ResourceVersion));
            Log.Step(log, ObjectKey.Of(cluster).ToString(), $"annotated Pod {step.Key.Name}: {step.Why}");
        }
        catch (KubeApiException e) when (e.IsNotFound)
        {
            // Its successor is made with the annotation.
        }
    }

    private async Task SetFinalizerAsync(DatabaseCluster cluster, PlanStep.SetFinalizer step, CancellationToken cancel)
    {
        var present = step.Present;
        var finalizers = new JsonArray();
        foreach (var other in (cluster.Metadata.Finalizers ?? []).Where(f => f != Names.Finalizer))
        {
            finalizers.Add(other);
        }

        if (present)
        {
            finalizers.Add(Names.Finalizer);
        }

        // The version guards the finalizers of others, which a merge patch would overwrite.
        var patch = new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["finalizers"] = finalizers,
                ["annotations"] = new JsonObject { [Names.OperatorAnnotation] = step.Claim },
                ["resourceVersion"] = cluster.Metadata.ResourceVersion,
            },
        };
        try
        {
            var written = await api.MergePatchAsync<DatabaseCluster>(ObjectKey.Of(cluster), patch, cancel);
            expectations.Expect(ObjectKey.Of(cluster), () => caches.HasSeen(ResourceType.DatabaseClusters, written.Metadata.ResourceVersion));
        }
        catch (KubeApiException e) when (e.IsNotFound && !present)
        {
            // Gone already.
        }
    }

    private static bool Holds(string wantedJson, IKubernetesObject<V1ObjectMeta> existing)
    {
        using var wanted = JsonDocument.Parse(wantedJson);
        using var actual = JsonDocument.Parse(KubernetesJson.Serialize(existing));
        return JsonSubset.Holds(wanted.RootElement, actual.RootElement);
    }
}
