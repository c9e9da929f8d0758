using System.Globalization;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Redoubt.Cli.Local;

/// <summary>
/// Judges the <c>spec</c> of a manifest by the schema that Kubernetes judges it by, the custom resource definition in <c>crds/</c>: fields, types, enumerations,
/// ranges, lengths, patterns, and rules of the form <c>self in […]</c>. Other rules in CEL are about changes, or are PostgreSQL's to judge.
/// </summary>
internal sealed partial class ManifestSchema
{
    private readonly YamlMappingNode _spec;

    private ManifestSchema(YamlMappingNode spec) => _spec = spec;

    /// <summary>The schema of DatabaseCluster, which this program carries.</summary>
    public static ManifestSchema Load()
    {
        using var reader = new StreamReader(typeof(ManifestSchema).Assembly.GetManifestResourceStream("DatabaseCluster.yaml")!);
        var stream = new YamlStream();
        stream.Load(reader);
        var versions = (YamlSequenceNode)Child(Child(stream.Documents[0].RootNode, "spec"), "versions")!;
        var root = Child(Child(versions.Children[0], "schema"), "openAPIV3Schema");
        return new ManifestSchema((YamlMappingNode)Child(Child(root, "properties"), "spec")!);
    }

    /// <summary>Everything that is wrong with a manifest's <c>spec</c>, one sentence each with its line.</summary>
    public IReadOnlyList<string> Judge(YamlNode spec)
    {
        var errors = new List<string>();
        Judge(spec, _spec, "spec", errors);
        return errors;
    }

    private static void Judge(YamlNode node, YamlNode schema, string path, List<string> errors)
    {
        string? wanted = Flag(schema, "x-kubernetes-int-or-string") ? "integer or string" : Text(schema, "type");
        if (wanted is not null && !Fits(node, wanted))
        {
            errors.Add($"line {node.Start.Line}: {path} must be of type {wanted}{(node is YamlScalarNode { Value: { } value } ? $", not {value}" : "")}{(wanted == "string" ? "; put it in quotes" : "")}");
            return;
        }

        switch (node)
        {
            case YamlMappingNode map:
                JudgeFields(map, schema, path, errors);
                break;
            case YamlSequenceNode list:
                JudgeCount(list, list.Children.Count, schema, "Items", path, errors);
                if (Child(schema, "items") is { } items)
                {
                    for (int i = 0; i < list.Children.Count; i++)
                    {
                        Judge(list.Children[i], items, $"{path}[{i}]", errors);
                    }
                }

                break;
            case YamlScalarNode scalar:
                JudgeScalar(scalar, schema, path, errors);
                break;
        }
    }

    private static void JudgeFields(YamlMappingNode map, YamlNode schema, string path, List<string> errors)
    {
        var properties = Child(schema, "properties") as YamlMappingNode;
        var others = Child(schema, "additionalProperties");
        foreach (var (key, value) in map.Children)
        {
            string name = ((YamlScalarNode)key).Value ?? "";
            if ((Child(properties, name) ?? others) is { } child)
            {
                Judge(value, child, $"{path}.{name}", errors);
            }
            else if (!Flag(schema, "x-kubernetes-preserve-unknown-fields"))
            {
                string known = properties is null ? "nothing" : string.Join(", ", properties.Children.Keys.Select(k => ((YamlScalarNode)k).Value));
                errors.Add($"line {key.Start.Line}: {path}.{name} is no field; {path} takes {known}");
            }
        }

        foreach (var required in (Child(schema, "required") as YamlSequenceNode)?.Children.Cast<YamlScalarNode>() ?? [])
        {
            if (Child(map, required.Value!) is null)
            {
                errors.Add($"line {map.Start.Line}: {path} lacks {required.Value}");
            }
        }

        JudgeCount(map, map.Children.Count, schema, "Properties", path, errors);
    }

    private static void JudgeScalar(YamlScalarNode scalar, YamlNode schema, string path, List<string> errors)
    {
        string value = scalar.Value ?? "";
        void Refuse(string why) => errors.Add($"line {scalar.Start.Line}: {path} is {(value.Length == 0 ? "empty" : value)}; {why}");

        if (Child(schema, "enum") is YamlSequenceNode choices && choices.Children.Cast<YamlScalarNode>().All(c => c.Value != value))
        {
            Refuse($"write one of {string.Join(", ", choices.Children.Cast<YamlScalarNode>().Select(c => c.Value))}");
        }

        if (Text(schema, "pattern") is { } pattern && !Regex.IsMatch(value, pattern, RegexOptions.CultureInvariant))
        {
            Refuse($"it must match {pattern}");
        }

        if (decimal.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number)
            && ((Number(schema, "minimum") is { } least && number < least) || (Number(schema, "maximum") is { } most && number > most)))
        {
            Refuse($"write {Text(schema, "minimum") ?? "…"} to {Text(schema, "maximum") ?? "…"}");
        }

        if (scalar.Style != ScalarStyle.Plain || Text(schema, "type") == "string")
        {
            JudgeCount(scalar, value.EnumerateRunes().Count(), schema, "Length", path, errors);
        }

        foreach (var rule in (Child(schema, "x-kubernetes-validations") as YamlSequenceNode)?.Children ?? [])
        {
            if (Membership().Match(Text(rule, "rule") ?? "") is { Success: true } membership
                && membership.Groups[2].Value.Split(',', StringSplitOptions.TrimEntries).Select(v => v.Trim('\'')).Contains(value) == membership.Groups[1].Success)
            {
                errors.Add($"line {scalar.Start.Line}: {Text(rule, "message")}");
            }
        }
    }

    private static void JudgeCount(YamlNode node, int count, YamlNode schema, string what, string path, List<string> errors)
    {
        if (count < (Number(schema, "min" + what) ?? 0) || count > (Number(schema, "max" + what) ?? decimal.MaxValue))
        {
            string unit = what == "Length" ? "characters" : what.ToLowerInvariant();
            errors.Add($"line {node.Start.Line}: {path} has {count} {unit}; it takes {Text(schema, "min" + what) ?? "0"} to {Text(schema, "max" + what) ?? "any number"}");
        }
    }

    /// <summary>A plain scalar is what it looks like, a quoted one is a string.</summary>
    private static bool Fits(YamlNode node, string type) => type switch
    {
        "object" => node is YamlMappingNode || IsPlain(node, NullPattern()),
        "array" => node is YamlSequenceNode || IsPlain(node, NullPattern()),
        "integer" => IsPlain(node, IntegerPattern()),
        "number" => IsPlain(node, NumberPattern()),
        "boolean" => IsPlain(node, BooleanPattern()),
        "string" => node is YamlScalarNode && !IsPlain(node, IntegerPattern()) && !IsPlain(node, NumberPattern()) && !IsPlain(node, BooleanPattern()) && !IsPlain(node, NullPattern()),
        "integer or string" => node is YamlScalarNode && !IsPlain(node, BooleanPattern()) && !IsPlain(node, NullPattern()),
        _ => true,
    };

    private static bool IsPlain(YamlNode node, Regex pattern) => node is YamlScalarNode { Style: ScalarStyle.Plain } scalar && pattern.IsMatch(scalar.Value ?? "");

    private static YamlNode? Child(YamlNode? node, string key) => node is YamlMappingNode map && map.Children.TryGetValue(new YamlScalarNode(key), out var child) ? child : null;

    private static string? Text(YamlNode node, string key) => (Child(node, key) as YamlScalarNode)?.Value;

    private static bool Flag(YamlNode node, string key) => Text(node, key) == "true";

    private static decimal? Number(YamlNode node, string key) => decimal.TryParse(Text(node, key), NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number) ? number : null;

    [GeneratedRegex(@"^[-+]?[0-9]+$")]
    private static partial Regex IntegerPattern();

    [GeneratedRegex(@"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")]
    private static partial Regex NumberPattern();

    [GeneratedRegex(@"^(true|True|TRUE|false|False|FALSE)$")]
    private static partial Regex BooleanPattern();

    [GeneratedRegex(@"^(~|null|Null|NULL)?$")]
    private static partial Regex NullPattern();

    [GeneratedRegex(@"^(!\()?self in \[([^\]]+)\]\)?$")]
    private static partial Regex Membership();
}
