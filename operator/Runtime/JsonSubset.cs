using System.Text.Json;
using k8s.Models;

namespace Redoubt.Operator.Runtime;

/// <summary>Whether an object on the server already holds every field that we want to own, with the same value.</summary>
public static class JsonSubset
{
    /// <param name="wanted">The fields that we own.</param>
    /// <param name="actual">The whole object, with what the server and others have added.</param>
    public static bool Holds(JsonElement wanted, JsonElement actual)
    {
        switch (wanted.ValueKind)
        {
            case JsonValueKind.Object:
                if (actual.ValueKind != JsonValueKind.Object)
                {
                    return false;
                }

                foreach (var property in wanted.EnumerateObject())
                {
                    if (!actual.TryGetProperty(property.Name, out var other) || !Holds(property.Value, other))
                    {
                        return false;
                    }
                }

                return true;
            case JsonValueKind.Array:
                return actual.ValueKind == JsonValueKind.Array && wanted.GetArrayLength() == actual.GetArrayLength()
                    && wanted.EnumerateArray().Zip(actual.EnumerateArray()).All(p => Holds(p.First, p.Second));
            case JsonValueKind.String when actual.ValueKind == JsonValueKind.String:
                return wanted.GetString() == actual.GetString() || SameQuantity(wanted.GetString()!, actual.GetString()!);
            default:
                return wanted.ValueKind == actual.ValueKind && wanted.GetRawText() == actual.GetRawText();
        }
    }

    // The server writes quantities in a form of its own: 1024Mi becomes 1Gi.
    private static bool SameQuantity(string a, string b)
    {
        if (a.Length == 0 || b.Length == 0 || !char.IsAsciiDigit(a[0]) || !char.IsAsciiDigit(b[0]) || a.Length > 24 || b.Length > 24)
        {
            return false;
        }

        try
        {
            return new ResourceQuantity(a).ToDecimal() == new ResourceQuantity(b).ToDecimal();
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            return false;
        }
    }
}
