using System.Text.Json;
using System.Text.Json.Nodes;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Cel;

/// <summary>CEL's values: null, bool, long, double, string, <see cref="Quantity"/>, List&lt;object?&gt;, Dictionary&lt;string, object?&gt;.</summary>
internal static class CelValue
{
    public static object? From(JsonNode? node, Schema schema)
    {
        switch (node)
        {
            case null:
                return null;
            case JsonObject o:
                return o.ToDictionary(p => p.Key, p => From(p.Value, schema.Field(p.Key) ?? Schema.Anything), StringComparer.Ordinal);
            case JsonArray a:
                return a.Select(i => From(i, schema.Items ?? Schema.Anything)).ToList();
            default:
                var value = node.AsValue();
                return value.GetValueKind() switch
                {
                    JsonValueKind.True => true,
                    JsonValueKind.False => false,
                    JsonValueKind.String => value.GetValue<string>(),
                    JsonValueKind.Number => schema.Type != SchemaType.Number && Json.TryInteger(value, out var n) ? (object)n : Json.Number(value),
                    _ => null,
                };
        }
    }

    public static bool Same(object? left, object? right) => (left, right) switch
    {
        (null, null) => true,
        (null, _) or (_, null) => false,
        (long l, double r) => l == r,
        (double l, long r) => l == r,
        (List<object?> l, List<object?> r) => l.Count == r.Count && l.Zip(r).All(p => Same(p.First, p.Second)),
        (Dictionary<string, object?> l, Dictionary<string, object?> r) =>
            l.Count == r.Count && l.All(p => r.TryGetValue(p.Key, out var v) && Same(p.Value, v)),
        _ => left.Equals(right),
    };

    public static int Compare(object? left, object? right, string text) => (left, right) switch
    {
        (long l, long r) => l.CompareTo(r),
        (double l, double r) => l.CompareTo(r),
        (long l, double r) => ((double)l).CompareTo(r),
        (double l, long r) => l.CompareTo((double)r),
        (string l, string r) => string.CompareOrdinal(l, r),
        (bool l, bool r) => l.CompareTo(r),
        (Quantity l, Quantity r) => l.CompareTo(r),
        _ => throw new CelException($"no such overload: cannot compare {Name(left)} with {Name(right)} in: {text}"),
    };

    public static string Name(object? value) => value switch
    {
        null => "null",
        bool => "bool",
        long => "int",
        double => "double",
        string => "string",
        Quantity => "quantity",
        List<object?> => "list",
        _ => "map",
    };
}
