using System.Globalization;
using System.Text.Json.Nodes;
using Redoubt.TestCluster.Api;
using Redoubt.TestCluster.Patching;

namespace Redoubt.TestCluster.Controllers;

/// <summary>
/// The disruption controller (pkg/controller/disruption): how many pods a budget expects is the scale of their controllers, unless
/// <c>minAvailable</c> is a number. A budget whose scale cannot be found allows nothing and says why.
/// </summary>
public sealed class DisruptionBudgets
{
    private readonly Registry _registry;
    private readonly EventLog _events;

    internal DisruptionBudgets(Registry registry, EventLog events)
    {
        _registry = registry;
        _events = events;
    }

    /// <summary>A controller for a server without the rest of a cluster; <see cref="Reconcile"/> is called by hand.</summary>
    public DisruptionBudgets(Registry registry)
        : this(registry, new EventLog(registry))
    {
    }

    /// <summary>One pass over all budgets.</summary>
    public void Reconcile()
    {
        foreach (var budget in _registry.List(BuiltInTypes.DisruptionBudgets))
        {
            var pods = _registry.List(BuiltInTypes.Pods, budget.Namespace())
                .Where(p => Selectors.Matches(budget.Object("spec", "selector"), p.Object("metadata", "labels")) && p.Text("status", "phase") is not ("Failed" or "Succeeded")).ToList();
            if (pods.Count == 0)
            {
                _events.Write(budget, "Normal", "NoPods", "No matching pods found", "controllermanager");
            }
            var healthy = pods.Count(Workloads.Ready);
            var fault = Expected(budget, pods, out var expected, out var desired);
            if (fault is not null)
            {
                _events.Write(budget, "Warning", "CalculateExpectedPodCountFailed", $"Failed to calculate the number of expected pods: {fault}", "controllermanager");
            }
            var allowed = fault is null && expected > 0 ? Math.Max(0, healthy - desired) : 0;
            _registry.SetStatus(BuiltInTypes.DisruptionBudgets, budget.Namespace(), budget.Name(), budget.Uid(), "kube-controller-manager", status => new JsonObject
            {
                ["observedGeneration"] = budget.Integer("metadata", "generation"),
                ["currentHealthy"] = healthy, ["desiredHealthy"] = desired, ["expectedPods"] = expected, ["disruptionsAllowed"] = allowed,
                ["conditions"] = new JsonArray(Condition(status, allowed > 0, fault)),
            });
        }
    }

    /// <summary>How many pods there should be and how many must be healthy (getExpectedPodCount).</summary>
    /// <returns>Why that cannot be told; null when it can.</returns>
    private string? Expected(JsonObject budget, List<JsonObject> pods, out int expected, out int desired)
    {
        var (min, max) = (budget.At("spec", "minAvailable"), budget.At("spec", "maxUnavailable"));
        expected = pods.Count;
        desired = 0;
        if (min is JsonValue v && Json.TryInteger(v, out var number))
        {
            desired = (int)number;
            return null;
        }
        if (min is null && max is null)
        {
            return null;
        }
        expected = 0;
        foreach (var owner in pods.Select(p => p.Objects("metadata", "ownerReferences").FirstOrDefault(o => o.Flag("controller") is true)).OfType<JsonObject>().DistinctBy(o => o.Text("uid")))
        {
            if (Scale(owner, budget.Namespace(), out var scale) is { } fault)
            {
                expected = 0;
                return fault;
            }
            expected += scale;
        }
        desired = max is not null ? Math.Max(0, expected - Count(max, expected)) : Count(min, expected);
        return null;
    }

    private string? Scale(JsonObject owner, string ns, out int scale)
    {
        scale = 0;
        if (_registry.FindKind(owner.Text("apiVersion"), owner.Text("kind")) is not { } type)
        {
            return $"found no controller for kind {owner.Text("kind")}";
        }
        var path = type == BuiltInTypes.ReplicaSets || type == BuiltInTypes.Deployments ? ".spec.replicas" : type.ScalePath;
        if (path is null)
        {
            return $"{type.GroupResource} does not implement the scale subresource";
        }
        if (_registry.TryGet(type, ns, owner.Text("name") ?? "") is { } found)
        {
            scale = (int)(found.Integer([.. path.Trim('.').Split('.')]) ?? 0);
        }
        return null;
    }

    private static int Count(JsonNode? value, int of) => value.Text() is { } percent && percent.EndsWith('%')
        ? (int)Math.Ceiling(double.Parse(percent[..^1], CultureInfo.InvariantCulture) * of / 100)
        : value is JsonValue v && Json.TryInteger(v, out var n) ? (int)n : 0;

    private static JsonObject Condition(JsonObject status, bool allowed, string? fault)
    {
        var before = status.Objects("conditions").FirstOrDefault(c => c.Text("type") == "DisruptionAllowed");
        var value = allowed ? "True" : "False";
        return new JsonObject
        {
            ["type"] = "DisruptionAllowed", ["status"] = value, ["reason"] = fault is not null ? "SyncFailed" : allowed ? "SufficientPods" : "InsufficientPods",
            ["message"] = fault ?? "", ["lastTransitionTime"] = before.Text("status") == value ? before.Text("lastTransitionTime") : ManagedFields.Now(),
        };
    }
}
