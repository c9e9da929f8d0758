using System.Text.Json.Nodes;
using Redoubt.TestCluster.Api;
using Redoubt.TestCluster.Patching;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Controllers;

/// <summary>
/// Gives pods to nodes: node selector and affinity, taints, requests, volumes and their zones, pod anti-affinity, topology spread;
/// preferences by score, then the node with the fewest pods. A pod that fits nowhere says why, in the words of the real scheduler.
/// </summary>
internal sealed class Scheduler(Registry registry, EventLog events)
{
    /// <summary>Nodes chosen for pods whose volumes are still being made.</summary>
    private readonly Dictionary<string, string> _assumed = [];

    public void Reconcile()
    {
        foreach (var pod in registry.List(BuiltInTypes.Pods)
                     .Where(p => p.Text("spec", "nodeName") is null && p.At("metadata", "deletionTimestamp") is null)
                     .OrderBy(p => long.Parse(p.Text("metadata", "resourceVersion")!)))
        {
            try
            {
                Schedule(pod);
            }
            catch (ApiException e) when (e.Code is 403 or 404 or 409)
            {
                // the pod or a claim changed meanwhile
            }
        }
    }

    private void Schedule(JsonObject pod)
    {
        var nodes = registry.List(BuiltInTypes.Nodes);
        var placed = registry.List(BuiltInTypes.Pods).Where(p => p.Uid() != pod.Uid() && p.Text("status", "phase") is not ("Succeeded" or "Failed")).Select(Assumed)
            .Where(p => p.Text("spec", "nodeName") is not null).ToList();
        var claims = pod.Objects("spec", "volumes").Select(v => v.Text("persistentVolumeClaim", "claimName")).OfType<string>().ToList();
        if (ClaimTrouble(pod, claims) is { } trouble)
        {
            Unschedulable(pod, $"0/{nodes.Count} nodes are available: {trouble}. preemption: 0/{nodes.Count} nodes are available: {nodes.Count} Preemption is not helpful for scheduling.");
            return;
        }
        var reasons = new Dictionary<string, int>();
        var candidates = new List<(JsonObject Node, double Score)>();
        foreach (var node in nodes)
        {
            var reason = Refusal(pod, node, nodes, placed, claims);
            if (reason is null)
            {
                candidates.Add((node, Score(pod, node, placed)));
            }
            else
            {
                reasons[reason] = reasons.GetValueOrDefault(reason) + 1;
            }
        }
        if (candidates.Count == 0)
        {
            Unschedulable(pod, $"0/{nodes.Count} nodes are available: {string.Join(", ", reasons.OrderBy(r => r.Key).Select(r => $"{r.Value} {r.Key}"))}. preemption: 0/{nodes.Count} nodes are available: {nodes.Count} Preemption is not helpful for scheduling.");
            return;
        }
        var best = candidates.OrderByDescending(c => c.Score).ThenBy(c => c.Node.Name(), StringComparer.Ordinal).First().Node;
        if (!ClaimsBound(pod, claims, best.Name()))
        {
            _assumed[pod.Uid()] = best.Name();
            return; // the binder's write brings us back
        }
        _assumed.Remove(pod.Uid());
        registry.Bind(pod.Namespace(), pod.Name(), best.Name());
        events.Write(pod, "Normal", "Scheduled", $"Successfully assigned {pod.Namespace()}/{pod.Name()} to {best.Name()}", "default-scheduler");
    }

    private JsonObject Assumed(JsonObject pod)
    {
        if (pod.Text("spec", "nodeName") is not null || !_assumed.TryGetValue(pod.Uid(), out var node))
        {
            return pod;
        }
        var copy = pod.Clone();
        copy.Child("spec")["nodeName"] = node;
        return copy;
    }

    private string? ClaimTrouble(JsonObject pod, List<string> claims)
    {
        foreach (var name in claims)
        {
            var claim = registry.TryGet(BuiltInTypes.Claims, pod.Namespace(), name);
            if (claim is null)
            {
                return $"persistentvolumeclaim \"{name}\" not found";
            }
            if (claim.At("metadata", "deletionTimestamp") is not null)
            {
                return $"persistentvolumeclaim \"{name}\" is being deleted";
            }
            if (claim.Text("spec", "volumeName") is null)
            {
                var storageClass = claim.Text("spec", "storageClassName") is { Length: > 0 } c ? registry.TryGet(BuiltInTypes.StorageClasses, "", c) : null;
                if (storageClass.Text("volumeBindingMode") != "WaitForFirstConsumer")
                {
                    return "pod has unbound immediate PersistentVolumeClaims";
                }
            }
        }
        return null;
    }

    /// <summary>Tells the binder where claims that wait for a consumer shall be; true when none waits any more.</summary>
    private bool ClaimsBound(JsonObject pod, List<string> claims, string node)
    {
        var bound = true;
        foreach (var name in claims)
        {
            var claim = registry.Get(BuiltInTypes.Claims, pod.Namespace(), name);
            if (claim.Text("spec", "volumeName") is null)
            {
                bound = false;
                var copy = claim.Clone();
                copy.Meta().Child("annotations")[VolumeBinder.SelectedNode] = node;
                registry.Update(BuiltInTypes.Claims, pod.Namespace(), name, copy, "", new WriteOptions("kube-scheduler"));
            }
        }
        return bound;
    }

    private string? Refusal(JsonObject pod, JsonObject node, IReadOnlyList<JsonObject> nodes, List<JsonObject> placed, List<string> claims)
    {
        var labels = node.Object("metadata", "labels");
        if (node.Flag("spec", "unschedulable") is true)
        {
            return "node(s) were unschedulable";
        }
        foreach (var taint in node.Objects("spec", "taints").Where(t => t.Text("effect") != "PreferNoSchedule" && !pod.Objects("spec", "tolerations").Any(o => Tolerates(o, t))))
        {
            return $"node(s) had untolerated taint(s) {{{taint.Text("key")}: {taint.Text("value")}}}";
        }
        if (!MatchesNode(pod, labels, node.Name()))
        {
            return "node(s) didn't match Pod's node affinity/selector";
        }
        if (_assumed.GetValueOrDefault(pod.Uid()) is { } chosen && chosen != node.Name())
        {
            return "node(s) didn't have the volume that is being made";
        }
        foreach (var claim in claims.Select(c => registry.TryGet(BuiltInTypes.Claims, pod.Namespace(), c)))
        {
            var volume = claim.Text("spec", "volumeName") is { } v ? registry.TryGet(BuiltInTypes.Volumes, "", v) : null;
            var terms = volume.Objects("spec", "nodeAffinity", "required", "nodeSelectorTerms").ToList();
            if (terms.Count > 0 && !terms.Any(t => Term(t, labels, node.Name())))
            {
                return "node(s) had volume node affinity conflict";
            }
        }
        var here = placed.Where(p => p.Text("spec", "nodeName") == node.Name()).ToList();
        foreach (var resource in (string[])["cpu", "memory"])
        {
            var used = here.Append(pod).Sum(p => Request(p, resource));
            if (Quantity.TryParse(node.Text("status", "allocatable", resource) ?? "0", out var total) && used > total.Value)
            {
                return $"Insufficient {resource}";
            }
        }
        foreach (var term in pod.Objects("spec", "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"))
        {
            if (placed.Any(p => p.Namespace() == pod.Namespace() && SameDomain(p, node, nodes, term.Text("topologyKey")!) && Selectors.Matches(term.Object("labelSelector"), p.Object("metadata", "labels"))))
            {
                return "node(s) didn't match pod anti-affinity rules";
            }
        }
        foreach (var constraint in pod.Objects("spec", "topologySpreadConstraints").Where(c => c.Text("whenUnsatisfiable") == "DoNotSchedule"))
        {
            var key = constraint.Text("topologyKey")!;
            if (labels.Text(key) is null)
            {
                return "node(s) didn't match pod topology spread constraints (missing required label)";
            }
            var counts = Counts(pod, constraint, nodes, placed);
            if (counts.GetValueOrDefault(labels.Text(key)!) + 1 - counts.Values.Min() > constraint.Integer("maxSkew"))
            {
                return "node(s) didn't match pod topology spread constraints";
            }
        }
        return null;
    }

    private double Score(JsonObject pod, JsonObject node, List<JsonObject> placed)
    {
        var nodes = registry.List(BuiltInTypes.Nodes);
        double score = -placed.Count(p => p.Text("spec", "nodeName") == node.Name());
        foreach (var preference in pod.Objects("spec", "affinity", "podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution"))
        {
            var term = preference.Object("podAffinityTerm");
            score -= (preference.Integer("weight") ?? 1) * placed.Count(p =>
                p.Namespace() == pod.Namespace() && SameDomain(p, node, nodes, term.Text("topologyKey")!) && Selectors.Matches(term.Object("labelSelector"), p.Object("metadata", "labels")));
        }
        foreach (var preference in pod.Objects("spec", "affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution"))
        {
            score += Term(preference.Object("preference") ?? [], node.Object("metadata", "labels"), node.Name()) ? preference.Integer("weight") ?? 1 : 0;
        }
        foreach (var constraint in pod.Objects("spec", "topologySpreadConstraints").Where(c => c.Text("whenUnsatisfiable") == "ScheduleAnyway"))
        {
            score -= 50.0 * Counts(pod, constraint, nodes, placed).GetValueOrDefault(node.Text("metadata", "labels", constraint.Text("topologyKey")!) ?? "");
        }
        return score;
    }

    private static Dictionary<string, int> Counts(JsonObject pod, JsonObject constraint, IReadOnlyList<JsonObject> nodes, List<JsonObject> placed)
    {
        var key = constraint.Text("topologyKey")!;
        var zoneOf = nodes.Where(n => n.Text("metadata", "labels", key) is not null).ToDictionary(n => n.Name(), n => n.Text("metadata", "labels", key)!);
        var counts = zoneOf.Values.Distinct().ToDictionary(z => z, _ => 0);
        foreach (var p in placed.Where(p => p.Namespace() == pod.Namespace() && Selectors.Matches(constraint.Object("labelSelector"), p.Object("metadata", "labels"))))
        {
            if (zoneOf.TryGetValue(p.Text("spec", "nodeName")!, out var zone))
            {
                counts[zone]++;
            }
        }
        return counts;
    }

    private static bool SameDomain(JsonObject pod, JsonObject node, IReadOnlyList<JsonObject> nodes, string key)
    {
        var its = nodes.FirstOrDefault(n => n.Name() == pod.Text("spec", "nodeName")).Text("metadata", "labels", key);
        return its is not null && its == node.Text("metadata", "labels", key);
    }

    private static bool Tolerates(JsonObject toleration, JsonObject taint) =>
        (toleration.Text("effect") is null or "" || toleration.Text("effect") == taint.Text("effect")) &&
        (toleration.Text("key") is null or "" ? toleration.Text("operator") == "Exists" : toleration.Text("key") == taint.Text("key")) &&
        (toleration.Text("operator") == "Exists" || (toleration.Text("value") ?? "") == (taint.Text("value") ?? ""));

    private static bool MatchesNode(JsonObject pod, JsonObject? labels, string name)
    {
        if ((pod.Object("spec", "nodeSelector") ?? []).Any(s => labels.Text(s.Key) != s.Value.Text()))
        {
            return false;
        }
        var required = pod.Object("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution");
        return required is null || required.Objects("nodeSelectorTerms").Any(t => Term(t, labels, name));
    }

    private static bool Term(JsonObject term, JsonObject? labels, string name) =>
        (term.Objects("matchExpressions").Any() || term.Objects("matchFields").Any()) &&
        term.Objects("matchExpressions").All(e => Selectors.Expression(e, labels)) &&
        term.Objects("matchFields").All(e => Selectors.Expression(e, new JsonObject { ["metadata.name"] = name }));

    private static decimal Request(JsonObject pod, string resource) => pod.Objects("spec", "containers").Sum(c =>
        c.At("resources", "requests", resource) is { } r && Quantity.TryParse(r.Text() ?? r.ToJsonString(), out var q) ? q.Value : 0);

    private void Unschedulable(JsonObject pod, string message)
    {
        var known = pod.Objects("status", "conditions").FirstOrDefault(c => c.Text("type") == "PodScheduled");
        if (known.Text("message") == message)
        {
            return;
        }
        registry.SetStatus(BuiltInTypes.Pods, pod.Namespace(), pod.Name(), pod.Uid(), "kube-scheduler", status =>
        {
            status["conditions"] = new JsonArray(new JsonObject
            {
                ["type"] = "PodScheduled", ["status"] = "False", ["reason"] = "Unschedulable", ["message"] = message, ["lastTransitionTime"] = ManagedFields.Now(),
            });
            return status;
        });
        events.Write(pod, "Warning", "FailedScheduling", message, "default-scheduler");
    }
}
