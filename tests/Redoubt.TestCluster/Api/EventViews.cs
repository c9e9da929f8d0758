using System.Text.Json.Nodes;

namespace Redoubt.TestCluster.Api;

/// <summary>Core v1 events and events.k8s.io/v1 events are two views of one object; stored as the former.</summary>
internal static class EventViews
{
    private static readonly (string Core, string New)[] Names =
    [
        ("involvedObject", "regarding"), ("message", "note"), ("reportingComponent", "reportingController"),
        ("source", "deprecatedSource"), ("firstTimestamp", "deprecatedFirstTimestamp"), ("lastTimestamp", "deprecatedLastTimestamp"), ("count", "deprecatedCount"),
    ];

    public static JsonObject ToCore(JsonObject value) => Rename(value, "v1", n => (n.New, n.Core));

    public static JsonObject ToNew(JsonObject value) => Rename(value, "events.k8s.io/v1", n => (n.Core, n.New));

    private static JsonObject Rename(JsonObject value, string apiVersion, Func<(string Core, string New), (string From, string To)> direction)
    {
        var result = value.Clone();
        result["apiVersion"] = apiVersion;
        foreach (var (from, to) in Names.Select(direction))
        {
            if (result[from] is { } field)
            {
                result.Remove(from);
                result[to] = field.DeepClone();
            }
        }
        return result;
    }
}
