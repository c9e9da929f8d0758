using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Redoubt.TestCluster.Api;

/// <summary>Label and field selectors, as query parameters and as LabelSelector objects.</summary>
public static partial class Selectors
{
    private static readonly Dictionary<string, HashSet<string>> FieldsByResource = new()
    {
        ["pods"] = ["spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase", "status.podIP", "status.nominatedNodeName"],
        ["events"] = ["involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid", "involvedObject.apiVersion",
                      "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type"],
        ["secrets"] = ["type"],
        ["nodes"] = ["spec.unschedulable"],
        ["namespaces"] = ["status.phase"],
        ["replicasets.apps"] = ["status.replicas"],
    };

    /// <summary>Parses a labelSelector query parameter.</summary>
    /// <exception cref="ApiException">400: it does not parse.</exception>
    public static Func<JsonObject, bool> Labels(string? selector)
    {
        if (string.IsNullOrWhiteSpace(selector))
        {
            return _ => true;
        }
        var tests = Requirement().Matches(selector).Select(m => m.Value.Trim()).Where(r => r.Length > 0).Select(LabelTest).ToList();
        return o => tests.All(t => t(o.Object("metadata", "labels")));
    }

    [GeneratedRegex(@"[^,(]+(\([^)]*\))?")]
    private static partial Regex Requirement();

    [GeneratedRegex(@"^(?<key>\S+)\s+(?<op>in|notin)\s*\((?<values>[^)]*)\)$")]
    private static partial Regex SetTest();

    [GeneratedRegex(@"^(?<key>[^\s=!]+)\s*(?<op>==|=|!=)\s*(?<value>[^\s=!]*)$")]
    private static partial Regex EqualityTest();

    private static Func<JsonObject?, bool> LabelTest(string text)
    {
        if (SetTest().Match(text) is { Success: true } set)
        {
            var values = set.Groups["values"].Value.Split(',').Select(v => v.Trim()).ToHashSet();
            var key = set.Groups["key"].Value;
            return set.Groups["op"].Value == "in"
                ? l => l.Text(key) is { } v && values.Contains(v)
                : l => l.Text(key) is not { } v || !values.Contains(v);
        }
        if (EqualityTest().Match(text) is { Success: true } equality)
        {
            var (key, value) = (equality.Groups["key"].Value, equality.Groups["value"].Value);
            return equality.Groups["op"].Value == "!=" ? l => l.Text(key) != value : l => l.Text(key) == value;
        }
        return Regex.IsMatch(text, @"^!?[A-Za-z0-9][-A-Za-z0-9_./]*$")
            ? text[0] == '!' ? l => l.Text(text[1..]) is null : l => l.Text(text) is not null
            : throw ApiException.BadRequest($"unable to parse requirement: {text}");
    }

    /// <summary>Parses a fieldSelector query parameter.</summary>
    /// <exception cref="ApiException">400: a field that this kind does not select by.</exception>
    public static Func<JsonObject, bool> Fields(string? selector, ResourceType type)
    {
        if (string.IsNullOrWhiteSpace(selector))
        {
            return _ => true;
        }
        var tests = new List<Func<JsonObject, bool>>();
        foreach (var part in selector.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var match = Regex.Match(part.Trim(), @"^(?<key>[^=!]+)(?<op>==|=|!=)(?<value>.*)$");
            if (!match.Success)
            {
                throw ApiException.BadRequest($"invalid field selector: {part}");
            }
            var key = match.Groups["key"].Value;
            if (key is not ("metadata.name" or "metadata.namespace") &&
                FieldsByResource.GetValueOrDefault(type.GroupResource)?.Contains(key) != true && !type.SelectableFields.Contains("." + key))
            {
                throw ApiException.BadRequest($"Unable to find \"{type.ApiVersion}, Resource={type.Plural}\" that match label selector \"\", field selector \"{part}\": field label not supported: {key}");
            }
            var (path, value, equal) = (key.Split('.'), match.Groups["value"].Value, match.Groups["op"].Value != "!=");
            tests.Add(o => (Shown(o.At(path)) == value) == equal);
        }
        return o => tests.All(t => t(o));
    }

    private static string Shown(JsonNode? node) => node switch
    {
        null => "",
        JsonObject source => source.Text("component") ?? "",
        _ => node.Text() ?? node.ToJsonString(),
    };

    /// <summary>Whether labels match a LabelSelector object; a null selector matches nothing, an empty one everything.</summary>
    public static bool Matches(JsonObject? selector, JsonObject? labels)
    {
        if (selector is null)
        {
            return false;
        }
        foreach (var (key, value) in selector.Object("matchLabels") ?? [])
        {
            if (labels.Text(key) != value.Text())
            {
                return false;
            }
        }
        return selector.Objects("matchExpressions").All(e => Expression(e, labels));
    }

    /// <summary>One requirement of a label or node selector.</summary>
    public static bool Expression(JsonObject expression, JsonObject? labels)
    {
        var value = labels.Text(expression.Text("key") ?? "");
        var values = expression.Strings("values").ToList();
        return expression.Text("operator") switch
        {
            "In" => value is not null && values.Contains(value),
            "NotIn" => value is null || !values.Contains(value),
            "Exists" => value is not null,
            "DoesNotExist" => value is null,
            "Gt" => long.TryParse(value, out var a) && long.TryParse(values.FirstOrDefault(), out var b) && a > b,
            "Lt" => long.TryParse(value, out var a) && long.TryParse(values.FirstOrDefault(), out var b) && a < b,
            _ => false,
        };
    }
}
