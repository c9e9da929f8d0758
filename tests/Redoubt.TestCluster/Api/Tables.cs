using System.Globalization;
using System.Text.Json.Nodes;

namespace Redoubt.TestCluster.Api;

/// <summary>Table output: what kubectl get asks the server to print.</summary>
internal static class Tables
{
    private sealed record Column(string Name, string Type, int Priority, Func<JsonObject, JsonNode?> Cell);

    public static JsonObject Of(ResourceType type, IEnumerable<JsonObject> items, string resourceVersion, bool withHeader = true)
    {
        var columns = Columns(type);
        var table = new JsonObject
        {
            ["kind"] = "Table",
            ["apiVersion"] = "meta.k8s.io/v1",
            ["metadata"] = new JsonObject { ["resourceVersion"] = resourceVersion },
            ["columnDefinitions"] = withHeader
                ? new JsonArray([.. columns.Select(c => (JsonNode)new JsonObject
                {
                    ["name"] = c.Name, ["type"] = c.Type, ["format"] = c.Name == "Name" ? "name" : "", ["description"] = "", ["priority"] = c.Priority,
                })])
                : [],
        };
        table["rows"] = new JsonArray([.. items.Select(i => (JsonNode)new JsonObject
        {
            ["cells"] = new JsonArray([.. columns.Select(c => c.Cell(i)?.DeepClone())]),
            ["object"] = new JsonObject
            {
                ["kind"] = "PartialObjectMetadata", ["apiVersion"] = "meta.k8s.io/v1", ["metadata"] = i["metadata"]?.DeepClone(),
            },
        })]);
        return table;
    }

    private static List<Column> Columns(ResourceType type)
    {
        var columns = new List<Column> { new("Name", "string", 0, o => o.Name()) };
        if (type.IsCustom && type.PrinterColumns.Count > 0)
        {
            columns.AddRange(type.PrinterColumns.Select(c => new Column(
                c.Text("name") ?? "", c.Text("type") ?? "string", (int)(c.Integer("priority") ?? 0),
                o => Custom(o, c.Text("jsonPath") ?? "", c.Text("type") ?? "string"))));
            return columns;
        }
        switch (type.GroupResource)
        {
            case "pods":
                columns.Add(new("Ready", "string", 0, o => $"{o.Objects("status", "containerStatuses").Count(s => s.Flag("ready") is true)}/{o.Objects("spec", "containers").Count()}"));
                columns.Add(new("Status", "string", 0, PodStatus));
                columns.Add(new("Restarts", "string", 0, o => $"{o.Objects("status", "containerStatuses").Sum(s => s.Integer("restartCount") ?? 0)}"));
                columns.Add(Age());
                columns.Add(new("IP", "string", 1, o => o.Text("status", "podIP") ?? "<none>"));
                columns.Add(new("Node", "string", 1, o => o.Text("spec", "nodeName") ?? "<none>"));
                return columns;
            case "persistentvolumeclaims":
                columns.Add(new("Status", "string", 0, o => o.At("metadata", "deletionTimestamp") is null ? o.Text("status", "phase") : "Terminating"));
                columns.Add(new("Volume", "string", 0, o => o.Text("spec", "volumeName") ?? ""));
                columns.Add(new("Capacity", "string", 0, o => o.Text("status", "capacity", "storage") ?? ""));
                columns.Add(new("StorageClass", "string", 0, o => o.Text("spec", "storageClassName") ?? ""));
                break;
            case "services":
                columns.Add(new("Type", "string", 0, o => o.Text("spec", "type")));
                columns.Add(new("Cluster-IP", "string", 0, o => o.Text("spec", "clusterIP")));
                columns.Add(new("Port(s)", "string", 0, o => string.Join(",", o.Objects("spec", "ports").Select(p => $"{p.Integer("port")}/{p.Text("protocol")}"))));
                break;
            case "deployments.apps":
                columns.Add(new("Ready", "string", 0, o => $"{o.Integer("status", "readyReplicas") ?? 0}/{o.Integer("spec", "replicas")}"));
                columns.Add(new("Up-to-date", "string", 0, o => $"{o.Integer("status", "updatedReplicas") ?? 0}"));
                columns.Add(new("Available", "string", 0, o => $"{o.Integer("status", "availableReplicas") ?? 0}"));
                break;
            case "events" or "events.events.k8s.io":
                return
                [
                    new("Last Seen", "string", 0, o => AgeText(o.Text("lastTimestamp") ?? o.Text("eventTime") ?? o.Text("metadata", "creationTimestamp"))),
                    new("Type", "string", 0, o => o.Text("type")), new("Reason", "string", 0, o => o.Text("reason")),
                    new("Object", "string", 0, o => $"{o.Text("involvedObject", "kind")?.ToLowerInvariant()}/{o.Text("involvedObject", "name")}"),
                    new("Message", "string", 0, o => o.Text("message")),
                ];
        }
        columns.Add(Age());
        return columns;
    }

    private static Column Age() => new("Age", "string", 0, o => AgeText(o.Text("metadata", "creationTimestamp")));

    private static JsonNode? PodStatus(JsonObject pod)
    {
        if (pod.At("metadata", "deletionTimestamp") is not null)
        {
            return "Terminating";
        }
        return pod.Objects("status", "containerStatuses")
            .Select(s => s.Text("state", "waiting", "reason") ?? s.Text("state", "terminated", "reason"))
            .FirstOrDefault(r => r is not null and not "Completed") ?? pod.Text("status", "phase");
    }

    /// <summary>The jsonPath subset of printer columns: field steps, [index] and [?(@.a=="b")].</summary>
    private static JsonNode? Custom(JsonObject o, string path, string type)
    {
        var value = PrinterPath.Read(o, path);
        return type == "date" ? AgeText(value.Text()) : value;
    }

    private static JsonNode? AgeText(string? time)
    {
        if (!DateTime.TryParse(time, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal, out var t))
        {
            return "<unknown>";
        }
        var age = DateTime.UtcNow - t;
        return age.TotalMinutes < 2 ? $"{Math.Max(0, (int)age.TotalSeconds)}s" : age.TotalHours < 3 ? $"{(int)age.TotalMinutes}m" : age.TotalDays < 2 ? $"{(int)age.TotalHours}h" : $"{(int)age.TotalDays}d";
    }
}
