using k8s.Models;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Planning;

/// <summary>
/// Gives each copy a zone. A copy that has a volume keeps the zone of its volume; the others go, in order, to the zone that
/// holds the fewest copies, so that six copies over three zones are two per zone.
/// </summary>
public static class Zones
{
    /// <summary>The zones to choose from: those of the spec, else those of the nodes in alphabetical order; empty when there are none.</summary>
    public static IReadOnlyList<string> Known(StorageSpec storage, IEnumerable<V1Node> nodes) =>
        storage.Zones is { Count: > 0 } named
            ? [.. named]
            : [.. nodes
                .Where(n => n.Spec?.Unschedulable != true && n.Spec?.Taints?.Any(t => t.Key == "node-role.kubernetes.io/control-plane") != true)
                .Select(n => n.Metadata.Label(storage.TopologyKey))
                .OfType<string>().Where(z => z.Length > 0).Distinct().Order(StringComparer.Ordinal)];

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
