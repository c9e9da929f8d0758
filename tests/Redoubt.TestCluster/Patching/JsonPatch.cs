using System.Globalization;
using System.Text.Json.Nodes;

namespace Redoubt.TestCluster.Patching;

/// <summary>JSON patch, RFC 6902.</summary>
public static class JsonPatch
{
    /// <summary>Returns the patched copy.</summary>
    /// <exception cref="PatchException">A path that is not there, a failed test, an unknown operation.</exception>
    public static JsonNode? Apply(JsonNode? target, JsonArray patch)
    {
        var root = target?.DeepClone();
        foreach (var operation in patch.OfType<JsonObject>())
        {
            var path = operation.Text("path") ?? throw new PatchException("operation without path");
            switch (operation.Text("op"))
            {
                case "add":
                    root = Set(root, path, operation["value"], adding: true);
                    break;
                case "replace":
                    Get(root, path);
                    root = Set(root, path, operation["value"], adding: false);
                    break;
                case "remove":
                    Remove(root, path);
                    break;
                case "test":
                    if (!Json.Same(Get(root, path), operation["value"]))
                    {
                        throw new PatchException($"testing value {path} failed");
                    }
                    break;
                case "move":
                    var moved = Get(root, operation.Text("from")!)?.DeepClone();
                    Remove(root, operation.Text("from")!);
                    root = Set(root, path, moved, adding: true);
                    break;
                case "copy":
                    root = Set(root, path, Get(root, operation.Text("from")!), adding: true);
                    break;
                case var op:
                    throw new PatchException($"unknown operation '{op}'");
            }
        }
        return root;
    }

    private static string[] Steps(string path) => path.Length == 0
        ? []
        : [.. path.Split('/').Skip(1).Select(s => s.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))];

    private static JsonNode? Get(JsonNode? node, string path)
    {
        foreach (var step in Steps(path))
        {
            node = node switch
            {
                JsonObject o when o.ContainsKey(step) => o[step],
                JsonArray a when int.TryParse(step, CultureInfo.InvariantCulture, out var i) && i >= 0 && i < a.Count => a[i],
                _ => throw new PatchException($"the path {path} does not exist"),
            };
        }
        return node;
    }

    private static JsonNode? Set(JsonNode? root, string path, JsonNode? value, bool adding)
    {
        value = value?.DeepClone();
        if (path.Length == 0)
        {
            return value;
        }
        var cut = path.LastIndexOf('/');
        var last = Steps(path)[^1];
        switch (Get(root, path[..cut]))
        {
            case JsonObject o:
                o[last] = value;
                break;
            case JsonArray a when last == "-" && adding:
                a.Add(value);
                break;
            case JsonArray a when int.TryParse(last, CultureInfo.InvariantCulture, out var i) && i >= 0 && i <= a.Count:
                if (adding)
                {
                    a.Insert(i, value);
                }
                else
                {
                    a[i] = value;
                }
                break;
            default:
                throw new PatchException($"the path {path} does not exist");
        }
        return root;
    }

    private static void Remove(JsonNode? root, string path)
    {
        Get(root, path);
        var last = Steps(path)[^1];
        switch (Get(root, path[..path.LastIndexOf('/')]))
        {
            case JsonObject o:
                o.Remove(last);
                break;
            case JsonArray a:
                a.RemoveAt(int.Parse(last, CultureInfo.InvariantCulture));
                break;
        }
    }
}
