using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Redoubt.TestCluster.Cel;

namespace Redoubt.TestCluster.Schemas;

/// <summary>The passes over an object that a schema drives: unknown fields, defaulting, validation, CEL rules.</summary>
public static class SchemaWalker
{
    /// <summary>Removes fields the schema does not declare, and returns their paths.</summary>
    public static List<string> Prune(JsonNode? node, Schema schema)
    {
        var unknown = new List<string>();
        Prune(node, schema, "", unknown);
        return unknown;
    }

    private static void Prune(JsonNode? node, Schema schema, string path, List<string> unknown)
    {
        if (node is JsonObject o && (schema.Properties is not null || schema.AdditionalProperties is not null))
        {
            foreach (var (name, value) in o.ToList())
            {
                var child = schema.Field(name);
                var childPath = path.Length == 0 ? name : $"{path}.{name}";
                if (child is not null)
                {
                    Prune(value, child, childPath, unknown);
                }
                else if (!schema.PreserveUnknown)
                {
                    o.Remove(name);
                    unknown.Add(childPath);
                }
            }
        }
        else if (node is JsonObject { Count: > 0 } bare && schema is { Type: SchemaType.Object, PreserveUnknown: false })
        {
            foreach (var name in bare.Select(p => p.Key).ToList())
            {
                bare.Remove(name);
                unknown.Add(path.Length == 0 ? name : $"{path}.{name}");
            }
        }
        else if (node is JsonArray a && schema.Items is not null)
        {
            for (var i = 0; i < a.Count; i++)
            {
                Prune(a[i], schema.Items, $"{path}[{i}]", unknown);
            }
        }
    }

    /// <summary>Fills in defaults, also inside defaulted values; nulls of fields that are not nullable count as absent.</summary>
    public static void ApplyDefaults(JsonNode? node, Schema schema)
    {
        switch (node)
        {
            case JsonObject o:
                foreach (var (name, child) in schema.Properties ?? [])
                {
                    if (o.ContainsKey(name) && o[name] is null && !child.Nullable)
                    {
                        o.Remove(name);
                    }
                    if (!o.ContainsKey(name) && child.Default is not null)
                    {
                        o[name] = child.Default.DeepClone();
                    }
                    ApplyDefaults(o[name], child);
                }
                if (schema.AdditionalProperties is not null && schema.Properties is null)
                {
                    foreach (var (_, value) in o)
                    {
                        ApplyDefaults(value, schema.AdditionalProperties);
                    }
                }
                break;
            case JsonArray a when schema.Items is not null:
                foreach (var item in a)
                {
                    ApplyDefaults(item, schema.Items);
                }
                break;
        }
    }

    /// <summary>Removes explicit nulls, which built-in types read as absent.</summary>
    public static void DropNulls(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject o:
                foreach (var (name, value) in o.ToList())
                {
                    if (value is null)
                    {
                        o.Remove(name);
                    }
                    else
                    {
                        DropNulls(value);
                    }
                }
                break;
            case JsonArray a:
                foreach (var item in a)
                {
                    DropNulls(item);
                }
                break;
        }
    }

    /// <summary>Checks types, limits, list uniqueness, then CEL rules if nothing else is wrong.</summary>
    /// <param name="node">The new object.</param>
    /// <param name="old">The object before, for transition rules; null on creation.</param>
    /// <param name="schema">Its schema.</param>
    public static List<FieldError> Validate(JsonNode? node, JsonNode? old, Schema schema)
    {
        var errors = new List<FieldError>();
        Values(node, schema, "", errors);
        if (!errors.Exists(e => e.Reason is "FieldValueTypeInvalid" or "FieldValueRequired" or "FieldValueTooLong" or "FieldValueTooMany"))
        {
            Rules(node, old, schema, "", errors);
        }
        else if (HasRules(schema))
        {
            errors.Add(FieldError.Invalid("<nil>", "null", "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"));
        }
        return errors;
    }

    private static bool HasRules(Schema schema) =>
        schema.Rules.Count > 0 || (schema.Properties ?? []).Values.Any(HasRules) || (schema.Items is { } items && HasRules(items));

    private static void Values(JsonNode? node, Schema schema, string path, List<FieldError> errors)
    {
        if (node is null)
        {
            if (!schema.Nullable && schema.Type != SchemaType.Any)
            {
                errors.Add(TypeError(path, "null", schema));
            }
            return;
        }
        if (!TypeFits(node, schema))
        {
            errors.Add(TypeError(path, node.ToJsonString(), schema));
            return;
        }
        if (schema.Enum.Count > 0 && !schema.Enum.Any(e => Json.Same(e, node)))
        {
            errors.Add(new FieldError(path, "FieldValueNotSupported",
                $"Unsupported value: {node.ToJsonString()}: supported values: {string.Join(", ", schema.Enum.Select(e => e?.ToJsonString() ?? "null"))}"));
        }
        switch (node)
        {
            case JsonObject o:
                ObjectValues(o, schema, path, errors);
                break;
            case JsonArray a:
                ArrayValues(a, schema, path, errors);
                break;
            default:
                ScalarValues(node.AsValue(), schema, path, errors);
                break;
        }
    }

    private static FieldError TypeError(string path, string value, Schema schema) => new(path, "FieldValueTypeInvalid",
        $"Invalid value: {value}: must be of type {(schema.IntOrString ? "integer or string" : schema.Quantity ? "quantity" : schema.Type.ToString().ToLowerInvariant())}");

    private static bool TypeFits(JsonNode node, Schema schema)
    {
        var kind = node.GetValueKind();
        if (schema.IntOrString)
        {
            return kind == JsonValueKind.String || (kind == JsonValueKind.Number && Json.TryInteger(node.AsValue(), out _));
        }
        if (schema.Quantity)
        {
            return kind == JsonValueKind.Number || (kind == JsonValueKind.String && Quantity.TryParse(node.GetValue<string>(), out _));
        }
        return schema.Type switch
        {
            SchemaType.Object => kind == JsonValueKind.Object,
            SchemaType.Array => kind == JsonValueKind.Array,
            SchemaType.String => kind == JsonValueKind.String,
            SchemaType.Boolean => kind is JsonValueKind.True or JsonValueKind.False,
            SchemaType.Integer => kind == JsonValueKind.Number && Json.TryInteger(node.AsValue(), out _),
            SchemaType.Number => kind == JsonValueKind.Number,
            _ => true,
        };
    }

    private static void ObjectValues(JsonObject o, Schema schema, string path, List<FieldError> errors)
    {
        foreach (var required in schema.Required.Where(r => o[r] is null))
        {
            errors.Add(FieldError.Required(Join(path, required)));
        }
        if (schema.MinProperties > o.Count || schema.MaxProperties < o.Count)
        {
            errors.Add(FieldError.Invalid(path, $"{o.Count}", $"should have {Range(schema.MinProperties, schema.MaxProperties)} properties"));
        }
        foreach (var (name, value) in o)
        {
            if (schema.Field(name) is { } child)
            {
                Values(value, child, Join(path, name), errors);
            }
        }
    }

    private static void ArrayValues(JsonArray a, Schema schema, string path, List<FieldError> errors)
    {
        if (schema.MinItems > a.Count || schema.MaxItems < a.Count)
        {
            errors.Add(FieldError.Invalid(path, $"{a.Count}", $"must have {Range(schema.MinItems, schema.MaxItems)} items"));
        }
        if (schema.Items is null)
        {
            return;
        }
        var seen = new HashSet<string>();
        for (var i = 0; i < a.Count; i++)
        {
            Values(a[i], schema.Items, $"{path}[{i}]", errors);
            var identity = schema.ListType switch
            {
                "set" => a[i]?.ToJsonString() ?? "null",
                "map" => string.Join('\u0001', schema.ListMapKeys.Select(k => (a[i] as JsonObject)?[k]?.ToJsonString() ?? "")),
                _ => null,
            };
            if (identity is not null && !seen.Add(identity))
            {
                errors.Add(new FieldError($"{path}[{i}]", "FieldValueDuplicate", $"Duplicate value: {a[i]?.ToJsonString()}"));
            }
        }
    }

    private static void ScalarValues(JsonValue value, Schema schema, string path, List<FieldError> errors)
    {
        var text = value.ToJsonString();
        if (value.GetValueKind() == JsonValueKind.String)
        {
            var s = value.GetValue<string>();
            var length = s.EnumerateRunes().Count();
            if (schema.MinLength > length || schema.MaxLength < length)
            {
                errors.Add(schema.MaxLength < length
                    ? new FieldError(path, "FieldValueTooLong", $"Too long: may not be more than {schema.MaxLength} bytes")
                    : FieldError.Invalid(path, text, $"should be at least {schema.MinLength} chars long"));
            }
            if (schema.Pattern is not null && !Regex.IsMatch(s, schema.Pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1)))
            {
                errors.Add(FieldError.Invalid(path, text, $"should match '{schema.Pattern}'"));
            }
            if (schema.Format == "date-time" && !DateTimeOffset.TryParse(s, out _))
            {
                errors.Add(FieldError.Invalid(path, text, "must be a date-time"));
            }
            if (schema.Format == "byte" && !Convert.TryFromBase64String(s, new byte[s.Length], out _))
            {
                errors.Add(FieldError.Invalid(path, text, "must be base64"));
            }
        }
        else if (value.GetValueKind() == JsonValueKind.Number)
        {
            var n = Json.Number(value);
            if (n < schema.Minimum || (schema.ExclusiveMinimum && n == schema.Minimum))
            {
                errors.Add(FieldError.Invalid(path, text, $"should be greater than{(schema.ExclusiveMinimum ? "" : " or equal to")} {schema.Minimum}"));
            }
            if (n > schema.Maximum || (schema.ExclusiveMaximum && n == schema.Maximum))
            {
                errors.Add(FieldError.Invalid(path, text, $"should be less than{(schema.ExclusiveMaximum ? "" : " or equal to")} {schema.Maximum}"));
            }
            if (schema.MultipleOf is { } m && Math.Abs(n % m) > 1e-9)
            {
                errors.Add(FieldError.Invalid(path, text, $"should be a multiple of {m}"));
            }
        }
    }

    private static void Rules(JsonNode? node, JsonNode? old, Schema schema, string path, List<FieldError> errors)
    {
        foreach (var rule in schema.Rules)
        {
            if (rule.IsTransition && old is null)
            {
                continue;
            }
            string? failure = null;
            try
            {
                if (rule.Rule.Evaluate(node, schema, old) is not true)
                {
                    failure = (rule.MessageExpression?.Evaluate(node, schema, old) as string) ?? rule.Message ?? $"failed rule: {rule.Rule.Text}";
                }
            }
            catch (CelException e)
            {
                failure = $"{e.Message} evaluating rule: {rule.Message ?? rule.Rule.Text}";
            }
            if (failure is not null)
            {
                var where = path + (rule.FieldPath ?? "");
                var reason = rule.Reason ?? "FieldValueInvalid";
                errors.Add(new FieldError(where.TrimStart('.'), reason, reason switch
                {
                    "FieldValueForbidden" => $"Forbidden: {failure}",
                    "FieldValueRequired" => $"Required value: {failure}",
                    _ => $"Invalid value: {Shown(node)}: {failure}",
                }));
            }
        }
        switch (node)
        {
            case JsonObject o:
                foreach (var (name, value) in o)
                {
                    if (value is not null && schema.Field(name) is { } child)
                    {
                        Rules(value, (old as JsonObject)?[name], child, Join(path, name), errors);
                    }
                }
                break;
            case JsonArray a when schema.Items is not null:
                for (var i = 0; i < a.Count; i++)
                {
                    Rules(a[i], Correlated(a[i], old as JsonArray, schema), schema.Items, $"{path}[{i}]", errors);
                }
                break;
        }
    }

    /// <summary>The old item of a map list with the same keys: only such lists have transition rules inside.</summary>
    private static JsonNode? Correlated(JsonNode? item, JsonArray? old, Schema list) => list.ListType != "map"
        ? null
        : old?.FirstOrDefault(o => list.ListMapKeys.All(k => Json.Same((o as JsonObject)?[k], (item as JsonObject)?[k])));

    private static string Shown(JsonNode? node) => node switch
    {
        JsonObject => "\"object\"",
        JsonArray => "\"array\"",
        _ => node?.ToJsonString() ?? "null",
    };

    private static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    private static string Range(int? min, int? max) => (min, max) switch
    {
        ({ } a, { } b) => $"{a} to {b}",
        ({ } a, null) => $"at least {a}",
        (null, { } b) => $"at most {b}",
        _ => "any number of",
    };
}
