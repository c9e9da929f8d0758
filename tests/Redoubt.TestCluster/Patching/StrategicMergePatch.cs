using System.Text.Json.Nodes;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Patching;

/// <summary>
/// Strategic merge patch of built-in kinds: lists with a merge key are merged by it; directives <c>$patch</c> (delete, replace),
/// <c>$setElementOrder</c> (ignored: order has no meaning here), <c>$deleteFromPrimitiveList</c>, <c>$retainKeys</c>.
/// </summary>
public static class StrategicMergePatch
{
    /// <summary>Returns the patched copy.</summary>
    /// <exception cref="PatchException">An item without its merge key.</exception>
    public static JsonObject Apply(JsonObject target, JsonObject patch, Schema schema)
    {
        if (patch.Text("$patch") == "replace")
        {
            var replaced = patch.Clone();
            replaced.Remove("$patch");
            return replaced;
        }
        var result = target.Clone();
        if (patch.Array("$retainKeys") is { } retained)
        {
            var keep = retained.Strings().ToHashSet();
            foreach (var name in result.Select(p => p.Key).Where(k => !keep.Contains(k)).ToList())
            {
                result.Remove(name);
            }
        }
        foreach (var (name, value) in patch)
        {
            if (name.StartsWith("$deleteFromPrimitiveList/", StringComparison.Ordinal))
            {
                var list = name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..];
                var gone = value.Strings().ToHashSet();
                if (result.Array(list) is { } items)
                {
                    result[list] = new JsonArray([.. items.Where(i => !gone.Contains(i.Text() ?? "")).Select(i => i?.DeepClone())]);
                }
                continue;
            }
            if (name.StartsWith('$'))
            {
                continue;
            }
            var child = schema.Field(name) ?? Schema.Anything;
            switch (value)
            {
                case null:
                    result.Remove(name);
                    break;
                case JsonObject o when o.Text("$patch") == "delete":
                    result.Remove(name);
                    break;
                case JsonObject o when result[name] is JsonObject existing:
                    result[name] = Apply(existing, o, child);
                    break;
                case JsonObject o:
                    result[name] = Apply([], o, child);
                    break;
                case JsonArray a when child.PatchMergeKey is { } key:
                    result[name] = MergeList(result.Array(name) ?? [], a, key, child.Items!);
                    break;
                case JsonArray a when child.ListType == "set":
                    var union = result.Array(name)?.DeepClone().AsArray() ?? [];
                    foreach (var item in a.Where(i => !union.Any(u => Json.Same(u, i))))
                    {
                        union.Add(item?.DeepClone());
                    }
                    result[name] = union;
                    break;
                default:
                    result[name] = value.DeepClone();
                    break;
            }
        }
        return result;
    }

    private static JsonArray MergeList(JsonArray target, JsonArray patch, string key, Schema item)
    {
        if (patch.OfType<JsonObject>().Any(p => p.Text("$patch") == "replace"))
        {
            return new JsonArray([.. patch.OfType<JsonObject>().Where(p => p.Text("$patch") is null).Select(p => p.DeepClone())]);
        }
        var result = target.Select(t => t!.AsObject().Clone()).ToList();
        foreach (var change in patch.OfType<JsonObject>())
        {
            var identity = change[key] ?? throw new PatchException($"map: {change.ToJsonString()} does not contain declared merge key: {key}");
            var at = result.FindIndex(r => Json.Same(r[key], identity));
            if (change.Text("$patch") == "delete")
            {
                if (at >= 0)
                {
                    result.RemoveAt(at);
                }
            }
            else if (at >= 0)
            {
                result[at] = Apply(result[at], change, item);
            }
            else
            {
                result.Add(Apply([], change, item));
            }
        }
        return new JsonArray([.. result]);
    }
}
