using System.Text.Json.Nodes;

namespace Redoubt.TestCluster.Patching;

/// <summary>JSON merge patch, RFC 7386.</summary>
public static class MergePatch
{
    /// <summary>Returns the patched copy; neither argument changes.</summary>
    public static JsonNode? Apply(JsonNode? target, JsonNode? patch)
    {
        if (patch is not JsonObject changes)
        {
            return patch?.DeepClone();
        }
        var result = target is JsonObject o ? o.Clone() : [];
        foreach (var (name, value) in changes)
        {
            if (value is null)
            {
                result.Remove(name);
            }
            else
            {
                result[name] = Apply(result[name], value);
            }
        }
        return result;
    }
}
