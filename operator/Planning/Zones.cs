using k8s.Models;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Planning;

/// <summary>
/// Gives each copy a zone. A copy that has a volume keeps the zone of its volume; the others go, in order, to the zone that
/// holds the fewest copies, so that six copies over three zones are two per zone.
/// </summary>
public static class Zones
{
    /// <summary>
    /// The zones to choose from: those of the spec, else, in alphabetical order, those of the nodes on which the pods may run at all;
    /// empty when there are none.
    /// </summary>
    public static IReadOnlyList<string> Known(DatabaseClusterSpec spec, IEnumerable<V1Node> nodes) =>
        spec.Storage.Zones is { Count: > 0 } named
            ? [.. named]
            : [.. nodes
                .Where(n => n.Spec?.Unschedulable != true && Admits(spec, n))
                .Select(n => n.Metadata.Label(spec.Storage.TopologyKey))
                .OfType<string>().Where(z => z.Length > 0).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>Whether a node takes pods of the cluster when it is not cordoned.</summary>
    public static bool Admits(DatabaseClusterSpec spec, V1Node node) => IsSelected(node, spec.Scheduling) && IsTolerated(node, spec.Scheduling);

    private static bool IsSelected(V1Node node, SchedulingSpec? scheduling) =>
        scheduling?.NodeSelector?.All(s => node.Metadata.Label(s.Key) == s.Value) != false;

    /// <summary>Taints of the kubelet's own (not ready, out of memory) pass; the zone of such a node stays one of the cluster's.</summary>
    private static bool IsTolerated(V1Node node, SchedulingSpec? scheduling) =>
        (node.Spec?.Taints ?? [])
            .Where(t => t.Effect is "NoSchedule" or "NoExecute" && !t.Key.StartsWith("node.kubernetes.io/", StringComparison.Ordinal))
            .All(t => scheduling?.Tolerations?.Any(o => Tolerates(o, t)) == true);

    private static bool Tolerates(V1Toleration toleration, V1Taint taint) =>
        (string.IsNullOrEmpty(toleration.Effect) || toleration.Effect == taint.Effect)
        && (string.IsNullOrEmpty(toleration.Key) ? toleration.OperatorProperty == "Exists" : toleration.Key == taint.Key)
        && (toleration.OperatorProperty == "Exists" || (toleration.Value ?? "") == (taint.Value ?? ""));

    /// <summary>The zone of each copy; null where no zone is known.</summary>
    /// <param name="copies">Number of copies.</param>
    /// <param name="placed">Zones of copies that have a volume, by index.</param>
    /// <param name="known">Zones to choose from.</param>
    public static IReadOnlyList<string?> Assign(int copies, IReadOnlyDictionary<int, string?> placed, IReadOnlyList<string> known)
    {
        var count = known.ToDictionary(z => z, z => placed.Values.Count(p => p == z));
        var zones = new string?[copies];
        for (var i = 0; i < copies; i++)
        {
            if (placed.TryGetValue(i, out var zone))
            {
                zones[i] = zone;
            }
            else if (known.Count > 0)
            {
                zones[i] = known.MinBy(z => count[z]);
                count[zones[i]!]++;
            }
        }

        return zones;
    }
}
