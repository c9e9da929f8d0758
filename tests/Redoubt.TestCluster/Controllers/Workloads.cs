using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Redoubt.TestCluster.Api;
using Redoubt.TestCluster.Patching;

namespace Redoubt.TestCluster.Controllers;

/// <summary>Deployments (through one ReplicaSet per template) and Endpoints.</summary>
internal static class Workloads
{
    private static readonly WriteOptions Options = new("kube-controller-manager");

    public static void Deployments(Registry registry)
    {
        foreach (var deployment in registry.List(BuiltInTypes.Deployments).Where(d => d.At("metadata", "deletionTimestamp") is null))
        {
            var ns = deployment.Namespace();
            var template = deployment.Object("spec", "template")!;
            var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(template.ToJsonString())))[..10];
            var name = $"{deployment.Name()}-{hash}";
            var set = registry.TryGet(BuiltInTypes.ReplicaSets, ns, name) ?? registry.Create(BuiltInTypes.ReplicaSets, ns, ReplicaSet(deployment, name, hash), Options);
            var wanted = (int)(deployment.Integer("spec", "replicas") ?? 1);
            var own = registry.List(BuiltInTypes.ReplicaSets, ns).Where(r => Owns(deployment, r)).Select(r => r.Uid()).ToHashSet();
            var pods = registry.List(BuiltInTypes.Pods, ns)
                .Where(p => p.Objects("metadata", "ownerReferences").Any(o => own.Contains(o.Text("uid") ?? "")) && p.At("metadata", "deletionTimestamp") is null).ToList();
            foreach (var ended in pods.Where(p => p.Text("status", "phase") is "Failed" or "Succeeded").ToList())
            {
                registry.Delete(BuiltInTypes.Pods, ns, ended.Name(), new DeleteOptions());
                pods.Remove(ended);
            }
            var fresh = pods.Where(p => Owns(set, p)).ToList();
            var old = pods.Except(fresh).ToList();
            for (var i = fresh.Count; i < wanted; i++)
            {
                registry.Create(BuiltInTypes.Pods, ns, Pod(set), Options);
            }
            foreach (var surplus in fresh.OrderBy(Ready).Take(Math.Max(0, fresh.Count - wanted)))
            {
                registry.Delete(BuiltInTypes.Pods, ns, surplus.Name(), new DeleteOptions());
            }
            foreach (var outdated in old.OrderBy(Ready).Take(Math.Max(0, old.Count + fresh.Count(Ready) - wanted)))
            {
                registry.Delete(BuiltInTypes.Pods, ns, outdated.Name(), new DeleteOptions());
            }
            var ready = pods.Count(Ready);
            registry.SetStatus(BuiltInTypes.Deployments, ns, deployment.Name(), deployment.Uid(), Options.Manager, status => new JsonObject
            {
                ["observedGeneration"] = deployment.Integer("metadata", "generation"),
                ["replicas"] = pods.Count, ["updatedReplicas"] = fresh.Count, ["readyReplicas"] = ready, ["availableReplicas"] = ready,
                ["unavailableReplicas"] = Math.Max(0, wanted - ready),
                ["conditions"] = new JsonArray(
                    Condition(status, "Available", ready >= wanted, ready >= wanted ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable"),
                    Condition(status, "Progressing", true, fresh.Count(Ready) >= wanted ? "NewReplicaSetAvailable" : "ReplicaSetUpdated")),
            });
        }
    }

    private static JsonObject ReplicaSet(JsonObject deployment, string name, string hash)
    {
        var template = deployment.Object("spec", "template")!.Clone();
        template.Meta().Child("labels")["pod-template-hash"] = hash;
        var selector = deployment.Object("spec", "selector")!.Clone();
        selector.Child("matchLabels")["pod-template-hash"] = hash;
        return new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = name, ["labels"] = template.At("metadata", "labels")!.DeepClone(), ["ownerReferences"] = new JsonArray(Owner(deployment)) },
            ["spec"] = new JsonObject { ["replicas"] = deployment.Integer("spec", "replicas"), ["selector"] = selector, ["template"] = template },
        };
    }

    private static JsonObject Pod(JsonObject set)
    {
        var template = set.Object("spec", "template")!;
        var meta = template.Object("metadata")?.Clone() ?? [];
        meta["generateName"] = set.Name() + "-";
        meta["ownerReferences"] = new JsonArray(Owner(set));
        return new JsonObject { ["metadata"] = meta, ["spec"] = template["spec"]!.DeepClone() };
    }

    private static JsonObject Owner(JsonObject o) => new()
    {
        ["apiVersion"] = o.Text("apiVersion"), ["kind"] = o.Text("kind"), ["name"] = o.Name(), ["uid"] = o.Uid(), ["controller"] = true, ["blockOwnerDeletion"] = true,
    };

    private static bool Owns(JsonObject owner, JsonObject item) => item.Objects("metadata", "ownerReferences").Any(r => r.Text("uid") == owner.Uid());

    public static bool Ready(JsonObject pod) =>
        pod.At("metadata", "deletionTimestamp") is null && pod.Objects("status", "conditions").Any(c => c.Text("type") == "Ready" && c.Text("status") == "True");

    private static JsonObject Condition(JsonObject status, string type, bool holds, string reason)
    {
        var before = status.Objects("conditions").FirstOrDefault(c => c.Text("type") == type);
        var value = holds ? "True" : "False";
        return new JsonObject
        {
            ["type"] = type, ["status"] = value, ["reason"] = reason,
            ["lastTransitionTime"] = before.Text("status") == value ? before.Text("lastTransitionTime") : ManagedFields.Now(),
        };
    }

    public static void Endpoints(Registry registry)
    {
        foreach (var service in registry.List(BuiltInTypes.Services).Where(s => s.Object("spec", "selector") is { Count: > 0 }))
        {
            var ns = service.Namespace();
            var unready = service.Flag("spec", "publishNotReadyAddresses") is true;
            var pods = Selected(registry, service);
            var ready = pods.Where(p => Ready(p) || unready).ToList();
            var subset = new JsonObject();
            if (ready.Count > 0)
            {
                subset["addresses"] = new JsonArray([.. ready.Select(Address)]);
            }
            if (pods.Except(ready).ToList() is { Count: > 0 } rest)
            {
                subset["notReadyAddresses"] = new JsonArray([.. rest.Select(Address)]);
            }
            if (subset.Count > 0)
            {
                subset["ports"] = new JsonArray([.. service.Objects("spec", "ports").Select(p => (JsonNode)Port(p, pods[0]))]);
            }
            var wanted = new JsonObject
            {
                ["metadata"] = new JsonObject { ["name"] = service.Name(), ["ownerReferences"] = new JsonArray(Owner(service)) },
                ["subsets"] = subset.Count > 0 ? new JsonArray(subset) : [],
            };
            registry.Apply(BuiltInTypes.Endpoints, ns, service.Name(), wanted, "", Options with { Force = true });
        }
    }

    /// <summary>Pods with an address that a service selects, unless they have ended.</summary>
    public static List<JsonObject> Selected(Registry registry, JsonObject service)
    {
        var selector = new JsonObject { ["matchLabels"] = service.Object("spec", "selector")!.DeepClone() };
        return [.. registry.List(BuiltInTypes.Pods, service.Namespace()).Where(p =>
            p.Text("status", "podIP") is { Length: > 0 } && p.Text("status", "phase") is "Running" or "Pending" && Selectors.Matches(selector, p.Object("metadata", "labels")))];
    }

    private static JsonNode Address(JsonObject pod)
    {
        var address = new JsonObject
        {
            ["ip"] = pod.Text("status", "podIP"), ["nodeName"] = pod.Text("spec", "nodeName"),
            ["targetRef"] = new JsonObject { ["kind"] = "Pod", ["namespace"] = pod.Namespace(), ["name"] = pod.Name(), ["uid"] = pod.Uid() },
        };
        if (pod.Text("spec", "subdomain") is not null && pod.Text("spec", "hostname") is { } hostname)
        {
            address["hostname"] = hostname;
        }
        return address;
    }

    private static JsonObject Port(JsonObject port, JsonObject pod)
    {
        var target = port["targetPort"];
        var number = target.Text() is { } name
            ? pod.Objects("spec", "containers").SelectMany(c => c.Objects("ports")).FirstOrDefault(p => p.Text("name") == name).Integer("containerPort")
            : target is JsonValue v && Json.TryInteger(v, out var n) ? n : port.Integer("port");
        var result = new JsonObject { ["port"] = number ?? port.Integer("port"), ["protocol"] = port.Text("protocol") ?? "TCP" };
        if (port.Text("name") is { } portName)
        {
            result["name"] = portName;
        }
        return result;
    }
}
