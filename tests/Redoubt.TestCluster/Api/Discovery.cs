using System.Text.Json.Nodes;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Api;

/// <summary>The documents by which clients learn what is served: /api, /apis, resource lists, /version, /openapi/v3.</summary>
internal static class Discovery
{
    private static readonly string[] Verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

    public static JsonObject? Answer(Registry registry, string path)
    {
        var types = registry.Types;
        var steps = path.Trim('/').Split('/');
        return steps switch
        {
            ["api"] => new JsonObject { ["kind"] = "APIVersions", ["versions"] = new JsonArray("v1"), ["serverAddressByClientCIDRs"] = new JsonArray() },
            ["apis"] => new JsonObject
            {
                ["kind"] = "APIGroupList",
                ["apiVersion"] = "v1",
                ["groups"] = new JsonArray([.. types.Where(t => t.Group.Length > 0).GroupBy(t => t.Group).Select(g => (JsonNode)Group(g))]),
            },
            ["api", "v1"] => Resources(types, "", "v1"),
            ["apis", var group] when types.Any(t => t.Group == group) => Group(types.Where(t => t.Group == group).GroupBy(t => t.Group).Single()),
            ["apis", var group, var version] when types.Any(t => t.Group == group && t.Version == version) => Resources(types, group, version),
            ["version"] => new JsonObject { ["major"] = "1", ["minor"] = "36", ["gitVersion"] = "v1.36.0-test", ["platform"] = "linux/amd64", ["goVersion"] = "none", ["gitCommit"] = "", ["gitTreeState"] = "clean", ["buildDate"] = "2026-01-01T00:00:00Z", ["compiler"] = "none" },
            ["openapi", "v3"] => new JsonObject
            {
                ["paths"] = new JsonObject(types.GroupBy(t => t.ApiVersion).Select(g =>
                {
                    var p = g.First().Group.Length == 0 ? "api/v1" : $"apis/{g.Key}";
                    return KeyValuePair.Create(p, (JsonNode?)new JsonObject { ["serverRelativeURL"] = $"/openapi/v3/{p}?hash={g.Count()}" });
                })),
            },
            ["openapi", "v3", "api", "v1"] => OpenApi(types.Where(t => t.ApiVersion == "v1")),
            ["openapi", "v3", "apis", var group, var version] => OpenApi(types.Where(t => t.Group == group && t.Version == version)),
            _ => null,
        };
    }

    private static JsonObject Group(IGrouping<string, ResourceType> group)
    {
        var versions = group.Select(t => t.Version).Distinct().Select(v => new JsonObject { ["groupVersion"] = $"{group.Key}/{v}", ["version"] = v }).ToList();
        return new JsonObject
        {
            ["kind"] = "APIGroup",
            ["apiVersion"] = "v1",
            ["name"] = group.Key,
            ["preferredVersion"] = versions[0].DeepClone(),
            ["versions"] = new JsonArray([.. versions]),
        };
    }

    private static JsonObject Resources(IEnumerable<ResourceType> types, string group, string version)
    {
        var resources = new JsonArray();
        foreach (var type in types.Where(t => t.Group == group && t.Version == version))
        {
            var resource = new JsonObject
            {
                ["name"] = type.Plural,
                ["singularName"] = type.Singular,
                ["namespaced"] = type.Namespaced,
                ["kind"] = type.Kind,
                ["verbs"] = new JsonArray([.. Verbs.Select(v => (JsonNode)v)]),
                ["storageVersionHash"] = "",
            };
            if (type.ShortNames.Count > 0)
            {
                resource["shortNames"] = new JsonArray([.. type.ShortNames.Select(s => (JsonNode)s)]);
            }
            if (type.Categories.Count > 0)
            {
                resource["categories"] = new JsonArray([.. type.Categories.Select(s => (JsonNode)s)]);
            }
            resources.Add(resource);
            if (type.HasStatus)
            {
                resources.Add(Sub(type, "status", type.Kind, "get", "patch", "update"));
            }
            if (type == BuiltInTypes.Pods)
            {
                resources.Add(Sub(type, "log", "Pod", "get"));
                var eviction = Sub(type, "eviction", "Eviction", "create");
                eviction["group"] = "policy";
                eviction["version"] = "v1";
                resources.Add(eviction);
            }
        }
        return new JsonObject
        {
            ["kind"] = "APIResourceList", ["apiVersion"] = "v1", ["groupVersion"] = group.Length == 0 ? version : $"{group}/{version}", ["resources"] = resources,
        };
    }

    private static JsonObject Sub(ResourceType type, string name, string kind, params string[] verbs) => new()
    {
        ["name"] = $"{type.Plural}/{name}", ["singularName"] = "", ["namespaced"] = type.Namespaced, ["kind"] = kind,
        ["verbs"] = new JsonArray([.. verbs.Select(v => (JsonNode)v)]),
    };

    /// <summary>Enough for kubectl: which kinds take fieldValidation, and schemas for kubectl explain.</summary>
    private static JsonObject? OpenApi(IEnumerable<ResourceType> types)
    {
        var (paths, schemas) = (new JsonObject(), new JsonObject());
        foreach (var type in types)
        {
            var gvk = new JsonObject { ["group"] = type.Group, ["version"] = type.Version, ["kind"] = type.Kind };
            var prefix = type.Group.Length == 0 ? "/api/v1" : $"/apis/{type.ApiVersion}";
            var scope = type.Namespaced ? "/namespaces/{namespace}" : "";
            paths[$"{prefix}{scope}/{type.Plural}/{{name}}"] = new JsonObject
            {
                ["patch"] = new JsonObject
                {
                    ["x-kubernetes-group-version-kind"] = gvk.DeepClone(),
                    ["parameters"] = new JsonArray([.. ((string[])["dryRun", "fieldManager", "fieldValidation", "force"]).Select(p => (JsonNode)new JsonObject
                    {
                        ["name"] = p, ["in"] = "query", ["schema"] = new JsonObject { ["type"] = "string" },
                    })]),
                },
            };
            if (type.IsCustom)
            {
                var schema = ToOpenApi(type.Schema);
                schema["x-kubernetes-group-version-kind"] = new JsonArray(gvk.DeepClone());
                schemas[$"{string.Join('.', type.Group.Split('.').Reverse())}.{type.Version}.{type.Kind}"] = schema;
            }
        }
        return paths.Count == 0 ? null : new JsonObject
        {
            ["openapi"] = "3.0.0",
            ["info"] = new JsonObject { ["title"] = "Kubernetes", ["version"] = "v1.36.0-test" },
            ["paths"] = paths,
            ["components"] = new JsonObject { ["schemas"] = schemas },
        };
    }

    private static JsonObject ToOpenApi(Schema schema)
    {
        var node = new JsonObject();
        if (schema.Type != SchemaType.Any)
        {
            node["type"] = schema.Type.ToString().ToLowerInvariant();
        }
        if (schema.Description is not null)
        {
            node["description"] = schema.Description;
        }
        if (schema.Properties is not null)
        {
            node["properties"] = new JsonObject(schema.Properties.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)ToOpenApi(p.Value))));
        }
        if (schema.AdditionalProperties is not null)
        {
            node["additionalProperties"] = ToOpenApi(schema.AdditionalProperties);
        }
        if (schema.Items is not null)
        {
            node["items"] = ToOpenApi(schema.Items);
        }
        return node;
    }
}
