using System.Globalization;
using System.Text.Json.Nodes;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Api;

/// <summary>The admission plugin ResourceQuota: counts of objects, and requests and limits of pods and claims.</summary>
internal static class Quotas
{
    /// <summary>Refuses an object that a quota of its namespace has no room for.</summary>
    /// <exception cref="ApiException">403.</exception>
    public static void Admit(Registry registry, ResourceType type, string ns, JsonObject value)
    {
        foreach (var quota in registry.List(BuiltInTypes.ResourceQuotas, ns))
        {
            var hard = quota.Object("spec", "hard") ?? [];
            var lacking = new List<string>();
            var exceeded = new List<(string Resource, decimal Asked, decimal Used, string Hard)>();
            foreach (var (resource, limit) in hard)
            {
                if (Asked(type, value, resource) is not { } asked)
                {
                    continue;
                }
                if (asked < 0)
                {
                    lacking.Add($"{resource} for: {string.Join(',', value.Objects("spec", "containers").Select(c => c.Text("name")))}");
                    continue;
                }
                var used = registry.List(type, ns).Where(o => o.Text("status", "phase") is not ("Failed" or "Succeeded")).Sum(o => Math.Max(0, Asked(type, o, resource) ?? 0));
                if (asked > 0 && used + asked > Number(limit))
                {
                    exceeded.Add((resource, asked, used, limit.Text() ?? limit!.ToJsonString()));
                }
            }
            if (lacking.Count > 0)
            {
                throw ApiException.Forbidden(type, value.Name(), $"failed quota: {quota.Name()}: must specify {string.Join("; ", lacking)}");
            }
            if (exceeded.Count > 0)
            {
                string List(Func<(string Resource, decimal Asked, decimal Used, string Hard), string> shown) => string.Join(',', exceeded.Select(e => $"{e.Resource}={shown(e)}"));
                throw ApiException.Forbidden(type, value.Name(), $"exceeded quota: {quota.Name()}, requested: {List(e => Text(e.Asked))}, used: {List(e => Text(e.Used))}, limited: {List(e => e.Hard)}");
            }
        }
    }

    private static string Text(decimal number) => number.ToString("0.###", CultureInfo.InvariantCulture);

    private static decimal Number(JsonNode? value) =>
        value is JsonValue v && Json.TryInteger(v, out var n) ? n : Quantity.TryParse(value.Text() ?? "", out var q) ? q.Value : 0;

    /// <summary>How much of a resource an object takes: null when none of its business, negative when it does not say.</summary>
    private static decimal? Asked(ResourceType type, JsonObject value, string resource)
    {
        if (resource == type.Plural || resource == "count/" + type.GroupResource)
        {
            return 1;
        }
        if (type == BuiltInTypes.Claims && resource == "requests.storage")
        {
            return Number(value.At("spec", "resources", "requests", "storage"));
        }
        if (type != BuiltInTypes.Pods)
        {
            return null;
        }
        var parts = resource.Split('.', 2);
        (string Kind, string Name)? field = parts is [("requests" or "limits") and var kind, var name] ? (kind, name) : resource is "cpu" or "memory" ? ("requests", resource) : null;
        if (field is not { } asked || asked.Name is not ("cpu" or "memory" or "ephemeral-storage"))
        {
            return null;
        }
        var values = value.Objects("spec", "containers").Select(c => c.At("resources", asked.Kind, asked.Name)).ToList();
        return values.Any(v => v is null) ? -1 : values.Sum(Number);
    }
}
