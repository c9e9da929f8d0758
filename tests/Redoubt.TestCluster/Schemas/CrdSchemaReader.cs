using System.Text.Json.Nodes;
using Redoubt.TestCluster.Cel;

namespace Redoubt.TestCluster.Schemas;

/// <summary>Reads a CRD's <c>openAPIV3Schema</c> as a real server does: it must be structural, its rules must parse.</summary>
public static class CrdSchemaReader
{
    private static readonly HashSet<string> Known =
    [
        "type", "properties", "additionalProperties", "items", "required", "default", "enum", "pattern", "format", "minLength", "maxLength",
        "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
        "nullable", "description", "title", "example", "externalDocs", "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type", "x-kubernetes-validations",
        "x-kubernetes-embedded-resource", "anyOf",
    ];

    /// <summary>Reads the schema of one version.</summary>
    /// <param name="node">The value of <c>openAPIV3Schema</c>.</param>
    /// <param name="path">Where it is, for messages.</param>
    /// <exception cref="CelException">A rule does not parse, uses an unsupported construct or an undeclared field.</exception>
    /// <exception cref="FormatException">The schema is not structural or uses a keyword unknown here.</exception>
    public static Schema Read(JsonObject node, string path)
    {
        var schema = ReadNode(node, path);
        if (schema.Type != SchemaType.Object)
        {
            throw new FormatException($"{path}.type: Invalid value: must be object at the root");
        }
        // Kubernetes types metadata itself; a rule may read only name and generateName.
        schema.Properties ??= [];
        schema.Properties["apiVersion"] = new Schema { Type = SchemaType.String };
        schema.Properties["kind"] = new Schema { Type = SchemaType.String };
        var declared = schema.Properties.GetValueOrDefault("metadata");
        schema.Properties["metadata"] = new Schema
        {
            Type = SchemaType.Object,
            Properties = new Dictionary<string, Schema>(declared?.Properties ?? [])
            {
                ["name"] = declared?.Properties?.GetValueOrDefault("name") ?? new Schema { Type = SchemaType.String },
                ["generateName"] = new() { Type = SchemaType.String },
            },
            Rules = declared?.Rules ?? [],
        };
        CheckRules(schema, path);
        return schema;
    }

    private static void CheckRules(Schema schema, string path)
    {
        foreach (var rule in schema.Rules)
        {
            rule.Rule.Check(schema);
            rule.MessageExpression?.Check(schema);
        }
        foreach (var (name, child) in schema.Properties ?? [])
        {
            CheckRules(child, $"{path}.{name}");
        }
        if (schema.Items is not null)
        {
            CheckRules(schema.Items, $"{path}.items");
        }
        if (schema.AdditionalProperties is not null)
        {
            CheckRules(schema.AdditionalProperties, $"{path}.additionalProperties");
        }
    }

    private static Schema ReadNode(JsonObject node, string path)
    {
        foreach (var keyword in node.Select(p => p.Key).Where(k => !Known.Contains(k)))
        {
            throw new FormatException($"{path}.{keyword}: Forbidden: keyword not supported by this test server (or not structural)");
        }
        var intOrString = node.Flag("x-kubernetes-int-or-string") ?? false;
        if (node["anyOf"] is not null && !intOrString)
        {
            throw new FormatException($"{path}.anyOf: Forbidden: supported only beside x-kubernetes-int-or-string");
        }
        var preserve = node.Flag("x-kubernetes-preserve-unknown-fields") ?? false;
        var type = node.Text("type");
        if (type is null && !intOrString && !preserve)
        {
            throw new FormatException($"{path}.type: Required value: must not be empty for specified object fields");
        }
        if (node["properties"] is not null && node["additionalProperties"] is not null)
        {
            throw new FormatException($"{path}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive");
        }
        var schema = new Schema
        {
            Type = type switch
            {
                null => SchemaType.Any,
                "object" => SchemaType.Object,
                "array" => SchemaType.Array,
                "string" => SchemaType.String,
                "integer" => SchemaType.Integer,
                "number" => SchemaType.Number,
                "boolean" => SchemaType.Boolean,
                _ => throw new FormatException($"{path}.type: Unsupported value: {type}"),
            },
            IntOrString = intOrString,
            PreserveUnknown = preserve,
            Nullable = node.Flag("nullable") ?? false,
            Required = [.. node.Strings("required")],
            Default = node["default"]?.DeepClone(),
            Enum = [.. node.Array("enum")?.Select(e => e?.DeepClone()) ?? []],
            Pattern = node.Text("pattern"),
            Format = node.Text("format"),
            MinLength = (int?)node.Integer("minLength"),
            MaxLength = (int?)node.Integer("maxLength"),
            MinItems = (int?)node.Integer("minItems"),
            MaxItems = (int?)node.Integer("maxItems"),
            MinProperties = (int?)node.Integer("minProperties"),
            MaxProperties = (int?)node.Integer("maxProperties"),
            Minimum = Double(node["minimum"]),
            Maximum = Double(node["maximum"]),
            MultipleOf = Double(node["multipleOf"]),
            ExclusiveMinimum = node.Flag("exclusiveMinimum") ?? false,
            ExclusiveMaximum = node.Flag("exclusiveMaximum") ?? false,
            ListType = node.Text("x-kubernetes-list-type") ?? "atomic",
            ListMapKeys = [.. node.Strings("x-kubernetes-list-map-keys")],
            AtomicMap = node.Text("x-kubernetes-map-type") == "atomic",
            Description = node.Text("description"),
            Rules = [.. node.Objects("x-kubernetes-validations").Select(Rule)],
        };
        if (node.Object("properties") is { } properties)
        {
            schema.Properties = properties.ToDictionary(p => p.Key, p => ReadNode(p.Value!.AsObject(), $"{path}.properties[{p.Key}]"), StringComparer.Ordinal);
        }
        if (node.Object("additionalProperties") is { } additional)
        {
            schema.AdditionalProperties = ReadNode(additional, $"{path}.additionalProperties");
        }
        if (node.Object("items") is { } items)
        {
            schema.Items = ReadNode(items, $"{path}.items");
        }
        else if (schema.Type == SchemaType.Array)
        {
            throw new FormatException($"{path}.items: Required value: must be specified");
        }
        if (schema.ListType == "map" && schema.ListMapKeys.Any(k => schema.Items?.Properties?.ContainsKey(k) != true || (!schema.Items.Required.Contains(k) && schema.Items.Properties[k].Default is null)))
        {
            throw new FormatException($"{path}.x-kubernetes-list-map-keys: Invalid value: every key must be a required property of items or have a default");
        }
        foreach (var required in schema.Required.Where(r => schema.Properties?.ContainsKey(r) != true && !preserve))
        {
            throw new FormatException($"{path}.required: Invalid value: \"{required}\" is not declared in properties");
        }
        return schema;
    }

    private static double? Double(JsonNode? node) => node is JsonValue v ? Json.Number(v) : null;

    private static CelRule Rule(JsonObject node) => new(
        CelExpression.Parse(node.Text("rule") ?? throw new FormatException("x-kubernetes-validations: Required value: rule")),
        node.Text("message"),
        node.Text("messageExpression") is { } m ? CelExpression.Parse(m) : null,
        node.Text("reason"),
        node.Text("fieldPath"),
        node.Flag("optionalOldSelf") is true ? throw new CelException("optionalOldSelf is not supported by this evaluator") : false);
}
