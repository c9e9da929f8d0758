using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Redoubt.TestCluster.Api;

/// <summary>The part of kubectl's JSONPath that printer columns use.</summary>
internal static partial class PrinterPath
{
    [GeneratedRegex("""\G(?:\.(?<name>[A-Za-z0-9_-]+)|\[(?<index>\d+)\]|\[\?\(@\.(?<key>[A-Za-z0-9_.-]+)\s*==\s*["'](?<value>[^"']*)["']\)\])""")]
    private static partial Regex Step();

    public static JsonNode? Read(JsonNode? node, string path)
    {
        var at = 0;
        while (at < path.Length)
        {
            var step = Step().Match(path, at);
            if (!step.Success)
            {
                throw ApiException.BadRequest($"printer column path {path} uses a construct unknown here at {at}");
            }
            at += step.Length;
            if (step.Groups["name"].Success)
            {
                node = (node as JsonObject)?[step.Groups["name"].Value];
            }
            else if (step.Groups["index"].Success)
            {
                node = (node as JsonArray)?.ElementAtOrDefault(int.Parse(step.Groups["index"].Value));
            }
            else
            {
                node = (node as JsonArray)?.FirstOrDefault(i => i.At(step.Groups["key"].Value.Split('.')).Text() == step.Groups["value"].Value);
            }
        }
        return node;
    }
}
