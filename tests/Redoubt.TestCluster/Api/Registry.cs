using System.Text.Json.Nodes;
using Redoubt.TestCluster.Cel;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Api;

/// <summary>
/// The semantics of the Kubernetes API without HTTP: a write is decoded strictly, defaulted, admitted, validated and stored under optimistic
/// concurrency. The HTTP front end, the controllers and the kubelet all go through it. Objects that it returns must not be changed.
/// </summary>
public sealed partial class Registry
{
    private readonly Lock _typesLock = new();
    private readonly List<ResourceType> _types = [.. BuiltInTypes.All];
    private readonly Admission _admission;

    /// <summary>An API with the namespaces that every cluster has.</summary>
    public Registry()
    {
        _admission = new Admission(this);
        foreach (var name in (string[])["default", "kube-system", "kube-public", "kube-node-lease"])
        {
            Create(BuiltInTypes.Namespaces, "", new JsonObject
            {
                ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = name },
            }, new WriteOptions("kube-apiserver"));
        }
        // The roles for people that every cluster has: what they may do is gathered from roles with these labels.
        foreach (var name in (string[])["view", "edit", "admin"])
        {
            Create(BuiltInTypes.ClusterRoles, "", new JsonObject
            {
                ["apiVersion"] = "rbac.authorization.k8s.io/v1", ["kind"] = "ClusterRole", ["metadata"] = new JsonObject { ["name"] = name },
                ["aggregationRule"] = new JsonObject
                {
                    ["clusterRoleSelectors"] = new JsonArray(new JsonObject { ["matchLabels"] = new JsonObject { [$"rbac.authorization.k8s.io/aggregate-to-{name}"] = "true" } }),
                },
                ["rules"] = new JsonArray(new JsonObject { ["apiGroups"] = new JsonArray(""), ["resources"] = new JsonArray("pods", "services", "configmaps", "events"), ["verbs"] = new JsonArray("get", "list", "watch") }),
            }, new WriteOptions("kube-apiserver"));
        }
    }

    /// <summary>An admission webhook for creations: throws what it refuses with.</summary>
    public Action<ResourceType, JsonObject>? Webhook { get; set; }

    /// <summary>Where the objects are.</summary>
    public ObjectStore Store { get; } = new();

    /// <summary>Every kind served now, custom ones too.</summary>
    public IReadOnlyList<ResourceType> Types
    {
        get
        {
            lock (_typesLock)
            {
                return [.. _types];
            }
        }
    }

    /// <summary>The kind at a path; null when it is not served.</summary>
    public ResourceType? Find(string group, string version, string plural)
    {
        lock (_typesLock)
        {
            return _types.Find(t => t.Group == group && t.Version == version && t.Plural == plural);
        }
    }

    /// <summary>The kind of an apiVersion and kind.</summary>
    public ResourceType? FindKind(string? apiVersion, string? kind)
    {
        lock (_typesLock)
        {
            return _types.Find(t => t.ApiVersion == apiVersion && t.Kind == kind);
        }
    }

    internal static string StorageOf(ResourceType type) => type == BuiltInTypes.NewEvents ? "events" : type.GroupResource;

    /// <summary>One object.</summary>
    /// <exception cref="ApiException">404.</exception>
    public JsonObject Get(ResourceType type, string ns, string name) => TryGet(type, ns, name) ?? throw ApiException.NotFound(type, name);

    /// <summary>One object or null.</summary>
    public JsonObject? TryGet(ResourceType type, string ns, string name) => Store.Get(StorageOf(type), ns, name);

    /// <summary>All objects of a kind; of one namespace when <paramref name="ns"/> is not null.</summary>
    public IReadOnlyList<JsonObject> List(ResourceType type, string? ns = null) => Store.List(StorageOf(type), ns).Items;

    private void Register(JsonObject crd)
    {
        var errors = new List<FieldError>();
        var types = new List<ResourceType>();
        var names = crd.Object("spec", "names");
        var group = crd.Text("spec", "group") ?? "";
        if (crd.Name() != $"{names.Text("plural")}.{group}")
        {
            errors.Add(FieldError.Invalid("metadata.name", $"\"{crd.Name()}\"", "must be spec.names.plural+\".\"+spec.group"));
        }
        if (crd.Objects("spec", "versions").Count(v => v.Flag("storage") is true) != 1)
        {
            errors.Add(FieldError.Invalid("spec.versions", "\"versions\"", "must have exactly one version marked as storage version"));
        }
        var index = 0;
        foreach (var version in crd.Objects("spec", "versions"))
        {
            var path = $"spec.versions[{index++}]";
            try
            {
                var node = version.Object("schema", "openAPIV3Schema") ?? throw new FormatException($"{path}.schema: Required value: schemas are required");
                types.Add(new ResourceType(group, version.Text("name") ?? "", names.Text("plural") ?? "", names.Text("kind") ?? "", crd.Text("spec", "scope") == "Namespaced")
                {
                    IsCustom = true,
                    HasGeneration = true,
                    HasStatus = version.At("subresources", "status") is not null,
                    ScalePath = version.Text("subresources", "scale", "specReplicasPath"),
                    ShortNames = [.. names.Strings("shortNames")],
                    Categories = [.. names.Strings("categories")],
                    PrinterColumns = [.. version.Objects("additionalPrinterColumns").Select(c => c.Clone())],
                    SelectableFields = [.. version.Objects("selectableFields").Select(f => f.Text("jsonPath") ?? "")],
                    Schema = CrdSchemaReader.Read(node, $"{path}.schema.openAPIV3Schema"),
                });
            }
            catch (Exception e) when (e is FormatException or CelException)
            {
                errors.Add(FieldError.Invalid($"{path}.schema.openAPIV3Schema", "\"schema\"", e.Message));
            }
        }
        if (errors.Count > 0)
        {
            throw ApiException.Invalid(BuiltInTypes.CustomResourceDefinitions, crd.Name(), errors);
        }
        lock (_typesLock)
        {
            _types.RemoveAll(t => t.IsCustom && t.GroupResource == crd.Name());
            _types.AddRange(types.Where((_, i) => crd.Objects("spec", "versions").ElementAt(i).Flag("served") is true));
        }
        crd["status"] = new JsonObject
        {
            ["acceptedNames"] = names!.DeepClone(),
            ["storedVersions"] = new JsonArray([.. crd.Objects("spec", "versions").Where(v => v.Flag("storage") is true).Select(v => v["name"]!.DeepClone())]),
            ["conditions"] = new JsonArray(Accepted("NamesAccepted", "NoConflicts"), Accepted("Established", "InitialNamesAccepted")),
        };
    }

    private static JsonObject Accepted(string type, string reason) => new()
    {
        ["type"] = type, ["status"] = "True", ["reason"] = reason, ["message"] = "", ["lastTransitionTime"] = Patching.ManagedFields.Now(),
    };

    private void Unregister(JsonObject crd)
    {
        ResourceType? type;
        lock (_typesLock)
        {
            type = _types.Find(t => t.IsCustom && t.GroupResource == crd.Name());
        }
        if (type is null)
        {
            return;
        }
        foreach (var item in List(type))
        {
            Store.Remove(StorageOf(type), item);
        }
        lock (_typesLock)
        {
            _types.RemoveAll(t => t.IsCustom && t.GroupResource == crd.Name());
        }
    }
}
