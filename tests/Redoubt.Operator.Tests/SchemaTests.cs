using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using k8s;
using k8s.Models;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Tests;

/// <summary>The custom resource's file and the C# types say the same.</summary>
public sealed class SchemaTests
{
    private static readonly JsonObject Crd = YamlText.ReadAll(File.ReadAllText(Repository.PathOf("crds", "databaseclusters.redoubt.dev.yaml"))).Single().AsObject();

    private static JsonObject Root => Crd["spec"]!["versions"]!.AsArray().Single()!["schema"]!["openAPIV3Schema"]!.AsObject();

    [Fact]
    public void Every_property_of_the_schema_has_a_member_of_its_type_and_the_other_way_round()
    {
        var differences = new List<string>();
        Compare("spec", Root["properties"]!["spec"]!.AsObject(), typeof(DatabaseClusterSpec), differences);
        Compare("status", Root["properties"]!["status"]!.AsObject(), typeof(DatabaseClusterStatus), differences);
        Assert.Empty(differences);
    }

    [Fact]
    public void Defaults_of_the_schema_are_the_initial_values_of_the_types()
    {
        var filled = Defaulted(Root["properties"]!["spec"]!.AsObject(), new JsonObject())!;
        var initial = JsonNode.Parse(KubernetesJson.Serialize(new DatabaseClusterSpec()))!;
        Assert.Equal(Sorted(filled).ToJsonString(), Sorted(initial).ToJsonString());
    }

    [Fact]
    public void Names_and_versions_agree()
    {
        Assert.Equal(DatabaseCluster.Group, (string?)Crd["spec"]!["group"]);
        Assert.Equal(DatabaseCluster.Plural, (string?)Crd["spec"]!["names"]!["plural"]);
        Assert.Equal(DatabaseCluster.KindName, (string?)Crd["spec"]!["names"]!["kind"]);
        Assert.Equal(DatabaseCluster.Version, (string?)Crd["spec"]!["versions"]![0]!["name"]);
        Assert.Equal($"{DatabaseCluster.Plural}.{DatabaseCluster.Group}", (string?)Crd["metadata"]!["name"]);
    }

    [Fact]
    public void Every_rule_has_a_message_that_says_what_to_do()
    {
        var rules = Root.DeepClone().AsObject();
        var messages = Find(rules, "x-kubernetes-validations").SelectMany(a => a.AsArray()).Select(r => (string?)r!["message"]).ToList();
        Assert.NotEmpty(messages);
        Assert.All(messages, m => Assert.Matches("write|remove|choose|make", m));
    }

    [Fact]
    public void The_chart_installs_the_same_custom_resource() =>
        Assert.Equal(
            File.ReadAllText(Repository.PathOf("crds", "databaseclusters.redoubt.dev.yaml")),
            File.ReadAllText(Repository.PathOf("charts", "redoubt", "crds", "databaseclusters.redoubt.dev.yaml")));

    private static void Compare(string path, JsonObject schema, Type type, List<string> differences)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        var kind = (string?)schema["type"];
        if ((bool?)schema["x-kubernetes-int-or-string"] == true)
        {
            Expect(type == typeof(ResourceQuantity) || type == typeof(IntOrString));
        }
        else if ((bool?)schema["x-kubernetes-preserve-unknown-fields"] == true)
        {
            Expect(type == typeof(IDictionary<string, JsonElement>));
        }
        else if (kind is "integer")
        {
            Expect(type == ((string?)schema["format"] == "int64" ? typeof(long) : typeof(int)));
        }
        else if (kind is "boolean")
        {
            Expect(type == typeof(bool));
        }
        else if (kind is "string")
        {
            Expect(type == ((string?)schema["format"] == "date-time" ? typeof(DateTime) : typeof(string)));
        }
        else if (kind is "array")
        {
            Compare(path + "[]", schema["items"]!.AsObject(), ElementOf(type, typeof(IList<>), 0, path), differences);
        }
        else if (schema["additionalProperties"] is JsonObject values)
        {
            Compare(path + "{}", values, ElementOf(type, typeof(IDictionary<,>), 1, path), differences);
        }
        else
        {
            var properties = schema["properties"]!.AsObject();
            var members = type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
                .Select(p => (Property: p, Name: p.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name)).Where(m => m.Name is not null)
                .ToDictionary(m => m.Name!, m => m.Property);
            differences.AddRange(properties.Select(p => p.Key).Except(members.Keys).Select(n => $"{path}.{n} has no member in {type.Name}"));
            differences.AddRange(members.Keys.Except(properties.Select(p => p.Key)).Select(n => $"{path}.{n} of {type.Name} is not in the schema"));
            foreach (var (name, member) in members.Where(m => properties.ContainsKey(m.Key)))
            {
                Compare($"{path}.{name}", properties[name]!.AsObject(), member.PropertyType, differences);
            }
        }

        void Expect(bool fits)
        {
            if (!fits)
            {
                differences.Add($"{path} is {schema.ToJsonString()} in the schema and {type.Name} in C#");
            }
        }
    }

    private static Type ElementOf(Type type, Type generic, int argument, string path)
    {
        var found = type.GetInterfaces().Append(type).FirstOrDefault(i => i.IsGenericType && i.GetGenericTypeDefinition() == generic);
        Assert.True(found is not null, $"{path} must be a {generic.Name}, is {type.Name}");
        return found.GetGenericArguments()[argument];
    }

    /// <summary>Defaulting as the API server does it: a default fills what is absent, then its properties are looked at.</summary>
    private static JsonNode? Defaulted(JsonObject schema, JsonNode? value)
    {
        value ??= schema["default"]?.DeepClone();
        if (value is JsonObject o && schema["properties"] is JsonObject properties)
        {
            foreach (var (name, property) in properties)
            {
                if (Defaulted(property!.AsObject(), o[name]?.DeepClone()) is { } filled)
                {
                    o[name] = filled;
                }
            }
        }

        return value;
    }

    private static JsonNode Sorted(JsonNode node) => node is JsonObject o
        ? new JsonObject(o.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => KeyValuePair.Create(p.Key, p.Value is null ? null : (JsonNode?)Sorted(p.Value))))
        : node.DeepClone();

    private static IEnumerable<JsonNode> Find(JsonNode node, string name) => node switch
    {
        JsonObject o => o.SelectMany(p => p.Value is null ? [] : p.Key == name ? [p.Value] : Find(p.Value, name)),
        JsonArray a => a.SelectMany(v => v is null ? [] : Find(v, name)),
        _ => [],
    };
}
