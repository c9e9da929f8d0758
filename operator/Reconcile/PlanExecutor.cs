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
public sealed class PlanExecutor(KubeApi api, ObjectCaches caches, Expectations expectations, ILogger log)
{
    /// <summary>Reason of a refusal that is our own: somebody else's object has a name that the cluster needs.</summary>
    public const string NameTaken = "NameTaken";

    /// <summary>By kind and name: what was applied last and the version that came of it, which no watch needs to confirm.</summary>
    private readonly ConcurrentDictionary<(ResourceType Type, ObjectKey Key), (string Hash, string Version)> applied = new();

    /// <returns>Events about steps that could not be done and that the cluster gets on without.</returns>
    /// <exception cref="KubeApiException">A step failed; those before it are done, and those after one that was refused for good too.</exception>
    public async Task<IReadOnlyList<PlannedEvent>> DoAsync(DatabaseCluster cluster, IReadOnlyList<PlanStep> steps, CancellationToken cancel)
    {
        var events = new List<PlannedEvent>();
        KubeApiException? refused = null;
        foreach (var step in steps)
        {
            try
            {
                await DoAsync(cluster, step, events, cancel);
            }
            catch (KubeApiException e) when (e.IsPermanent)
            {
                // One object that cannot be must not keep a dead compute pod from being replaced.
                refused ??= e;
            }
        }

        return refused is null ? events : throw refused;
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
            case PlanStep.AnnotatePod annotate:
                await AnnotateAsync(cluster, annotate, cancel);
                break;
            case PlanStep.SetFinalizer finalizer:
                await SetFinalizerAsync(cluster, finalizer.Present, cancel);
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

    private async Task SetFinalizerAsync(DatabaseCluster cluster, bool present, CancellationToken cancel)
    {
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
            ["metadata"] = new JsonObject { ["finalizers"] = finalizers, ["resourceVersion"] = cluster.Metadata.ResourceVersion },
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
