using System.Globalization;
using System.Text.Json.Nodes;
using Redoubt.TestCluster.Patching;

namespace Redoubt.TestCluster.Api;

public sealed partial class Registry
{
    /// <summary>
    /// Deletes: at once, or by setting deletionTimestamp when finalizers remain or a scheduled pod still has its grace period.
    /// </summary>
    /// <returns>The object as deleted or as it is now, and whether it is gone.</returns>
    /// <exception cref="ApiException">404, 409 (precondition).</exception>
    public (JsonObject Value, bool Gone) Delete(ResourceType type, string ns, string name, DeleteOptions options)
    {
        lock (Store.Lock)
        {
            var live = Get(type, ns, name);
            if (options.Uid is not null && options.Uid != live.Uid())
            {
                throw ApiException.Conflict(type, name, $"Precondition failed: UID in precondition: {options.Uid}, UID in object meta: {live.Uid()}");
            }
            if (options.ResourceVersion is not null && options.ResourceVersion != live.Text("metadata", "resourceVersion"))
            {
                throw ApiException.Conflict(type, name, $"Precondition failed: ResourceVersion in precondition: {options.ResourceVersion}");
            }
            if (options.DryRun)
            {
                return (live, true);
            }
            var value = live.Clone();
            var meta = value.Meta();
            var finalizers = meta.Strings("finalizers").ToList();
            if (live.At("metadata", "deletionTimestamp") is null)
            {
                var added = options.Propagation switch { "Foreground" => "foregroundDeletion", "Orphan" => "orphan", _ => null };
                if (added is not null && HasDependents(live))
                {
                    finalizers.Add(added);
                }
            }
            var grace = type == BuiltInTypes.Pods && live.Text("spec", "nodeName") is { Length: > 0 } && live.Text("status", "phase") is not ("Succeeded" or "Failed")
                ? options.GracePeriodSeconds ?? live.Integer("metadata", "deletionGracePeriodSeconds") ?? live.Integer("spec", "terminationGracePeriodSeconds") ?? 30
                : 0;
            var isNamespace = type == BuiltInTypes.Namespaces;
            if (finalizers.Count == 0 && grace == 0 && !isNamespace)
            {
                Store.Remove(StorageOf(type), live);
                if (type == BuiltInTypes.CustomResourceDefinitions)
                {
                    Unregister(live);
                }
                return (live, true);
            }
            var deadline = DateTime.UtcNow.AddSeconds(grace).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
            var before = live.Integer("metadata", "deletionGracePeriodSeconds");
            if (live.At("metadata", "deletionTimestamp") is not null && (before is null || grace >= before))
            {
                return (live, false);
            }
            meta["deletionTimestamp"] = deadline;
            meta["deletionGracePeriodSeconds"] = grace;
            if (finalizers.Count > 0)
            {
                meta["finalizers"] = new JsonArray([.. finalizers.Select(f => (JsonNode)f)]);
            }
            if (type.HasGeneration)
            {
                meta["generation"] = (live.Integer("metadata", "generation") ?? 0) + 1;
            }
            if (isNamespace)
            {
                value["status"] = new JsonObject { ["phase"] = "Terminating" };
            }
            return (Store.Put(StorageOf(type), value), false);
        }
    }

    private bool HasDependents(JsonObject owner) =>
        Store.All().Any(o => o.Object.Objects("metadata", "ownerReferences").Any(r => r.Text("uid") == owner.Uid()));

    /// <summary>An object in deletion whose last finalizer is gone is removed; a pod only when its kubelet has let go of it.</summary>
    private void RemoveIfFinished(ResourceType type, JsonObject value)
    {
        if (value.At("metadata", "deletionTimestamp") is null || value.Strings("metadata", "finalizers").Any() || type == BuiltInTypes.Namespaces)
        {
            return;
        }
        if (type == BuiltInTypes.Pods && value.Integer("metadata", "deletionGracePeriodSeconds") > 0)
        {
            return;
        }
        Store.Remove(StorageOf(type), value);
        if (type == BuiltInTypes.CustomResourceDefinitions)
        {
            Unregister(value);
        }
    }

    /// <summary>Removes a namespace that is terminating and empty.</summary>
    internal void FinishNamespace(JsonObject ns) => Store.Remove("namespaces", ns);

    /// <summary>The eviction subresource: a delete that respects disruption budgets.</summary>
    /// <exception cref="ApiException">404; 429 when a budget allows no disruption now.</exception>
    public void Evict(string ns, string name, DeleteOptions options)
    {
        lock (Store.Lock)
        {
            var pod = Get(BuiltInTypes.Pods, ns, name);
            // What has not started or is going already is nobody's loss (canIgnorePDB).
            if (pod.Text("status", "phase") is "Pending" or "Failed" or "Succeeded" || pod.At("metadata", "deletionTimestamp") is not null)
            {
                Delete(BuiltInTypes.Pods, ns, name, options);
                return;
            }
            var ready = pod.Objects("status", "conditions").Any(c => c.Text("type") == "Ready" && c.Text("status") == "True");
            var budgets = List(BuiltInTypes.DisruptionBudgets, ns).Where(b => Selectors.Matches(b.Object("spec", "selector"), pod.Object("metadata", "labels"))
                && (ready || b.Text("spec", "unhealthyPodEvictionPolicy") != "AlwaysAllow")).ToList();
            foreach (var budget in budgets.Where(b => (b.Integer("status", "disruptionsAllowed") ?? 0) <= 0
                || b.Integer("status", "observedGeneration") < b.Integer("metadata", "generation")))
            {
                throw ApiException.TooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.");
            }
            foreach (var budget in budgets)
            {
                var changed = budget.Clone();
                changed.Child("status")["disruptionsAllowed"] = budget.Integer("status", "disruptionsAllowed") - 1;
                Store.Put(BuiltInTypes.DisruptionBudgets.GroupResource, changed);
            }
            Delete(BuiltInTypes.Pods, ns, name, options);
        }
    }

    /// <summary>Binds a pod to a node: what the scheduler does.</summary>
    internal void Bind(string ns, string name, string node)
    {
        lock (Store.Lock)
        {
            var pod = Get(BuiltInTypes.Pods, ns, name).Clone();
            pod.Child("spec")["nodeName"] = node;
            var status = pod.Child("status");
            var conditions = new JsonArray([.. status.Objects("conditions").Where(c => c.Text("type") != "PodScheduled").Select(c => c.DeepClone())]);
            conditions.Add(new JsonObject { ["type"] = "PodScheduled", ["status"] = "True", ["lastTransitionTime"] = ManagedFields.Now() });
            status["conditions"] = conditions;
            Store.Put("pods", pod);
        }
    }

    /// <summary>A status write by a component of this cluster; nothing happens when the object is gone or nothing changes.</summary>
    internal void SetStatus(ResourceType type, string ns, string name, string uid, string manager, Func<JsonObject, JsonObject?> change)
    {
        lock (Store.Lock)
        {
            if (TryGet(type, ns, name) is not { } live || live.Uid() != uid)
            {
                return;
            }
            var value = live.Clone();
            if (change(value.Object("status")?.Clone() ?? []) is { } status && !Json.Same(status, live["status"]))
            {
                value["status"] = status;
                Update(type, ns, name, value, "status", new WriteOptions(manager));
            }
        }
    }

    /// <summary>Writes the status of an object as a controller that is not here would.</summary>
    public void SetStatusForTest(ResourceType type, JsonObject of, JsonObject status) => SetStatus(type, of.Namespace(), of.Name(), of.Uid(), "test", _ => status);
}
