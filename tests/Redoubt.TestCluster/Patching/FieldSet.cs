using System.Text.Json.Nodes;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Patching;

/// <summary>
/// The fields a manager owns: a set of paths, each a sequence of the path elements of <c>FieldsV1</c> (<c>f:name</c>, <c>k:{…}</c>,
/// <c>v:…</c>). A list item of a map list is itself a member, as are the leaves below it.
/// </summary>
public sealed class FieldSet
{
    private const char Separator = '\u0000';

    private readonly SortedSet<string> _paths;

    private FieldSet(IEnumerable<string> paths) => _paths = new SortedSet<string>(paths, StringComparer.Ordinal);

    /// <summary>No fields.</summary>
    public static FieldSet Empty => new([]);

    /// <summary>Whether nothing is owned.</summary>
    public bool IsEmpty => _paths.Count == 0;

    /// <summary>Every path as its elements.</summary>
    public IEnumerable<string[]> Paths => _paths.Select(p => p.Split(Separator));

    /// <summary>The fields that are set in an object, without those that identify it or that the server writes.</summary>
    public static FieldSet Of(JsonObject value, Schema schema)
    {
        var paths = new List<string>();
        Walk(value, schema, "", paths);
        return new FieldSet(paths.Where(p => !IsServerField(p)));
    }

    private static bool IsServerField(string path) => path is "f:apiVersion" or "f:kind" or "f:metadata" ||
        (path.StartsWith($"f:metadata{Separator}", StringComparison.Ordinal) && path.Split(Separator)[1] is
            "f:name" or "f:namespace" or "f:generateName" or "f:uid" or "f:resourceVersion" or "f:generation" or "f:creationTimestamp" or
            "f:selfLink" or "f:managedFields" or "f:deletionTimestamp" or "f:deletionGracePeriodSeconds");

    private static void Walk(JsonNode? node, Schema schema, string path, List<string> paths)
    {
        switch (node)
        {
            case JsonObject { Count: > 0 } o when !schema.AtomicMap:
                foreach (var (name, value) in o)
                {
                    Walk(value, schema.Field(name) ?? Schema.Anything, Join(path, "f:" + name), paths);
                }
                break;
            case JsonArray { Count: > 0 } a when schema.ListType == "map":
                foreach (var item in a.OfType<JsonObject>())
                {
                    var itemPath = Join(path, KeyElement(item, schema));
                    paths.Add(itemPath);
                    Walk(item, schema.Items!, itemPath, paths);
                }
                break;
            case JsonArray { Count: > 0 } a when schema.ListType == "set":
                paths.AddRange(a.Select(i => Join(path, "v:" + i?.ToJsonString())));
                break;
            default:
                paths.Add(path);
                break;
        }
    }

    private static string KeyElement(JsonObject item, Schema list)
    {
        var key = new JsonObject();
        foreach (var name in list.ListMapKeys.Order(StringComparer.Ordinal))
        {
            var value = item[name] ?? list.Items?.Field(name)?.Default ?? (name == "protocol" ? JsonValue.Create("TCP") : null);
            if (value is not null)
            {
                key[name] = value.DeepClone();
            }
        }
        return "k:" + key.ToJsonString();
    }

    /// <summary>Reads the wire form.</summary>
    public static FieldSet FromFieldsV1(JsonObject? fields)
    {
        var paths = new List<string>();
        void Read(JsonObject node, string path)
        {
            if (node.Count == 0 && path.Length > 0)
            {
                paths.Add(path);
            }
            foreach (var (element, value) in node)
            {
                if (element == ".")
                {
                    paths.Add(path);
                }
                else
                {
                    Read(value as JsonObject ?? [], Join(path, element));
                }
            }
        }
        Read(fields ?? [], "");
        return new FieldSet(paths);
    }

    /// <summary>The wire form.</summary>
    public JsonObject ToFieldsV1()
    {
        var root = new JsonObject();
        foreach (var path in Paths)
        {
            var node = root;
            foreach (var element in path)
            {
                node = node.Child(element);
            }
            node["."] = new JsonObject();
        }
        Simplify(root);
        return root;
    }

    private static void Simplify(JsonObject node)
    {
        if (node.Count == 1 && node.ContainsKey("."))
        {
            node.Remove(".");
        }
        foreach (var (_, child) in node)
        {
            Simplify((JsonObject)child!);
        }
    }

    /// <summary>Fields of this set that are not in the other.</summary>
    public FieldSet Except(FieldSet other) => new(_paths.Except(other._paths));

    /// <summary>Fields of both.</summary>
    public FieldSet Intersect(FieldSet other) => new(_paths.Intersect(other._paths));

    /// <summary>Fields of either.</summary>
    public FieldSet Union(FieldSet other) => new(_paths.Union(other._paths));

    /// <summary>Fields for which the condition on their path elements holds.</summary>
    public FieldSet Where(Func<string[], bool> condition) => new(_paths.Where(p => condition(p.Split(Separator))));

    /// <summary>Whether this path or any below it is owned.</summary>
    public bool Covers(string[] path)
    {
        var text = string.Join(Separator, path);
        return _paths.Contains(text) || _paths.Any(p => p.StartsWith(text + Separator, StringComparison.Ordinal));
    }

    /// <inheritdoc />
    public override bool Equals(object? obj) => obj is FieldSet other && _paths.SetEquals(other._paths);

    /// <inheritdoc />
    public override int GetHashCode() => _paths.Count;

    /// <summary>The path as people read it: <c>.spec.containers[name="a"].image</c>.</summary>
    public static string Readable(string[] path) => string.Concat(path.Select(e => e[..2] switch
    {
        "f:" => "." + e[2..],
        "k:" => "[" + string.Join(",", ((JsonObject)JsonNode.Parse(e[2..])!).Select(p => $"{p.Key}={p.Value?.ToJsonString()}")) + "]",
        _ => $"[={e[2..]}]",
    }));

    /// <summary>The value at a path; <paramref name="found"/> tells a null from nothing.</summary>
    public static JsonNode? Lookup(JsonNode? node, string[] path, out bool found)
    {
        foreach (var element in path)
        {
            var next = Step(node, element, out found);
            if (!found)
            {
                return null;
            }
            node = next;
        }
        found = true;
        return node;
    }

    private static JsonNode? Step(JsonNode? node, string element, out bool found)
    {
        var text = element[2..];
        switch (node)
        {
            case JsonObject o when element[0] == 'f':
                found = o.TryGetPropertyValue(text, out var value);
                return value;
            case JsonArray a when element[0] == 'k':
                var key = (JsonObject)JsonNode.Parse(text)!;
                var item = a.FirstOrDefault(i => i is JsonObject io && Matches(io, key));
                found = item is not null;
                return item;
            case JsonArray a when element[0] == 'v':
                var member = a.FirstOrDefault(i => i?.ToJsonString() == text);
                found = member is not null;
                return member;
            default:
                found = false;
                return null;
        }
    }

    internal static bool Matches(JsonObject item, JsonObject key) =>
        key.All(p => Json.Same(item[p.Key] ?? (p.Key == "protocol" ? JsonValue.Create("TCP") : null), p.Value));

    /// <summary>Removes the value at a path, then every container that this left empty.</summary>
    public static void Remove(JsonObject root, string[] path)
    {
        var parents = new List<JsonNode> { root };
        foreach (var element in path[..^1])
        {
            var next = Step(parents[^1], element, out var found);
            if (!found || next is null)
            {
                return;
            }
            parents.Add(next);
        }
        for (var i = path.Length - 1; i >= 0; i--)
        {
            // A list item that has lost its key is no longer found by it.
            var isLeaf = i == path.Length - 1;
            var found = true;
            var child = isLeaf ? Step(parents[i], path[i], out found) : parents[i + 1];
            if (!found || (!isLeaf && child is not (JsonObject { Count: 0 } or JsonArray { Count: 0 })) || (!isLeaf && i == 0))
            {
                return;
            }
            if (parents[i] is JsonObject o)
            {
                o.Remove(path[i][2..]);
            }
            else if (parents[i] is JsonArray a)
            {
                a.Remove(child);
            }
        }
    }

    private static string Join(string path, string element) => path.Length == 0 ? element : path + Separator + element;
}
