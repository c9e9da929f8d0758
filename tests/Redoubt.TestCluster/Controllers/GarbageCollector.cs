using System.Text.Json.Nodes;
using Redoubt.TestCluster.Api;

namespace Redoubt.TestCluster.Controllers;

/// <summary>ownerReferences and namespace deletion: dependents of absent owners go, foreground and orphan finalizers are served.</summary>
internal static class GarbageCollector
{
    private static readonly WriteOptions Options = new("kube-controller-manager");

    public static void Reconcile(Registry registry)
    {
        var all = registry.Store.All();
        var owners = all.ToDictionary(o => o.Object.Uid(), o => o.Object);
        foreach (var (_, item) in all)
        {
            var references = item.Objects("metadata", "ownerReferences").ToList();
            if (references.Count == 0 || registry.FindKind(item.Text("apiVersion"), item.Text("kind")) is not { } type)
            {
                continue;
            }
            // An owner in another namespace counts as absent, as on a real cluster.
            bool Lives(JsonObject reference) => owners.TryGetValue(reference.Text("uid") ?? "", out var owner) &&
                (owner.Namespace().Length == 0 || owner.Namespace() == item.Namespace());
            var living = references.Where(Lives).ToList();
            var waiting = living.Any(r => owners[r.Text("uid")!].Strings("metadata", "finalizers").Contains("foregroundDeletion"));
            if (item.At("metadata", "deletionTimestamp") is null && (living.Count == 0 || waiting))
            {
                Try(() => registry.Delete(type, item.Namespace(), item.Name(), new DeleteOptions(Uid: item.Uid(), Propagation: waiting ? "Foreground" : "Background")));
            }
            else if (living.Count > 0 && living.Count < references.Count)
            {
                Change(registry, type, item, o => o.Meta()["ownerReferences"] = new JsonArray([.. living.Select(l => l.DeepClone())]));
            }
        }
        foreach (var (_, item) in all.Where(o => o.Object.At("metadata", "deletionTimestamp") is not null))
        {
            var finalizers = item.Strings("metadata", "finalizers").ToList();
            if (registry.FindKind(item.Text("apiVersion"), item.Text("kind")) is not { } type)
            {
                continue;
            }
            var dependents = registry.Store.All().Where(o => o.Object.Objects("metadata", "ownerReferences").Any(r => r.Text("uid") == item.Uid())).ToList();
            if (finalizers.Contains("orphan"))
            {
                foreach (var (_, dependent) in dependents)
                {
                    if (registry.FindKind(dependent.Text("apiVersion"), dependent.Text("kind")) is { } dependentType)
                    {
                        Change(registry, dependentType, dependent, o => o.Meta()["ownerReferences"] =
                            new JsonArray([.. o.Objects("metadata", "ownerReferences").Where(r => r.Text("uid") != item.Uid()).Select(r => r.DeepClone())]));
                    }
                }
                RemoveFinalizer(registry, type, item, "orphan");
            }
            if (finalizers.Contains("foregroundDeletion") && !dependents.Any(d => d.Object.Objects("metadata", "ownerReferences").Any(r => r.Flag("blockOwnerDeletion") is true)))
            {
                RemoveFinalizer(registry, type, item, "foregroundDeletion");
            }
        }
        foreach (var ns in registry.List(BuiltInTypes.Namespaces).Where(n => n.At("metadata", "deletionTimestamp") is not null))
        {
            var inside = registry.Store.All().Where(o => o.Object.Namespace() == ns.Name()).ToList();
            foreach (var (_, item) in inside.Where(i => i.Object.At("metadata", "deletionTimestamp") is null))
            {
                if (registry.FindKind(item.Text("apiVersion"), item.Text("kind")) is { } type)
                {
                    Try(() => registry.Delete(type, item.Namespace(), item.Name(), new DeleteOptions()));
                }
            }
            if (inside.Count == 0)
            {
                registry.FinishNamespace(ns);
            }
        }
    }

    internal static void RemoveFinalizer(Registry registry, ResourceType type, JsonObject item, string finalizer) => Change(registry, type, item, o =>
        o.Meta()["finalizers"] = new JsonArray([.. o.Strings("metadata", "finalizers").Where(f => f != finalizer).Select(f => (JsonNode)f)]));

    private static void Change(Registry registry, ResourceType type, JsonObject item, Action<JsonObject> change) => Try(() =>
    {
        var copy = registry.Get(type, item.Namespace(), item.Name()).Clone();
        change(copy);
        registry.Update(type, item.Namespace(), item.Name(), copy, "", Options);
    });

    private static void Try(Action act)
    {
        try
        {
            act();
        }
        catch (ApiException e) when (e.Code is 403 or 404 or 409)
        {
            // gone or changed meanwhile; the event of that runs the next pass
        }
    }
}
