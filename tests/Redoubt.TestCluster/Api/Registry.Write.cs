using System.Text.Json.Nodes;
using Redoubt.TestCluster.Patching;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Api;

public sealed partial class Registry
{
    /// <summary>Creates an object from what a client sent.</summary>
    /// <exception cref="ApiException">400, 403, 404 (no namespace), 409, 422.</exception>
    public JsonObject Create(ResourceType type, string ns, JsonObject sent, WriteOptions options)
    {
        lock (Store.Lock)
        {
            var value = Decode(type, ns, null, sent, options);
            value.Meta().Remove("managedFields");
            var created = CreatePrepared(type, ns, value, options, o => ManagedFields.RecordUpdate(null, o, type.Schema, options.Manager, ""));
            return created;
        }
    }

    private JsonObject CreatePrepared(ResourceType type, string ns, JsonObject value, WriteOptions options, Action<JsonObject> recordOwners)
    {
        var meta = value.Meta();
        if (meta.Text("resourceVersion") is { Length: > 0 })
        {
            throw ApiException.BadRequest("resourceVersion should not be set on objects to be created");
        }
        if (meta.Text("name") is null or "")
        {
            if (meta.Text("generateName") is not { Length: > 0 } prefix)
            {
                throw ApiException.Invalid(type, "", [FieldError.Required("metadata.name", "name or generateName is required")]);
            }
            meta["name"] = prefix + RandomSuffix();
        }
        var name = value.Name();
        if (Store.Get(StorageOf(type), ns, name) is not null)
        {
            throw ApiException.AlreadyExists(type, name);
        }
        foreach (var field in (string[])["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"])
        {
            meta.Remove(field);
        }
        if (type.HasStatus)
        {
            value.Remove("status");
        }
        meta["uid"] = Guid.NewGuid().ToString();
        meta["creationTimestamp"] = ManagedFields.Now();
        if (type.HasGeneration)
        {
            meta["generation"] = 1;
        }
        _admission.Admit(type, ns, value);
        Check(type, value, null);
        recordOwners(value);
        if (type == BuiltInTypes.CustomResourceDefinitions)
        {
            Register(value);
        }
        if (options.DryRun)
        {
            return value;
        }
        Store.Put(StorageOf(type), value);
        if (type == BuiltInTypes.Namespaces)
        {
            Create(BuiltInTypes.ServiceAccounts, name, new JsonObject
            {
                ["apiVersion"] = "v1", ["kind"] = "ServiceAccount", ["metadata"] = new JsonObject { ["name"] = "default", ["namespace"] = name },
            }, new WriteOptions("kube-controller-manager"));
        }
        return value;
    }

    private static string RandomSuffix() =>
        string.Create(5, 0, static (span, _) => Random.Shared.GetItems("bcdfghjklmnpqrstvwxz2456789", span));

    /// <summary>Replaces an object, or its status with <paramref name="subresource"/> "status".</summary>
    /// <exception cref="ApiException">400, 404, 409 (stale), 422.</exception>
    public JsonObject Update(ResourceType type, string ns, string name, JsonObject sent, string subresource, WriteOptions options)
    {
        lock (Store.Lock)
        {
            var live = Get(type, ns, name);
            var value = Decode(type, ns, name, sent, options);
            if (value.Text("metadata", "resourceVersion") is null or "" && (type.IsCustom || type == BuiltInTypes.Leases))
            {
                throw ApiException.Invalid(type, name, [FieldError.Invalid("metadata.resourceVersion", "0x0", "must be specified for an update")]);
            }
            return Replace(type, live, value, subresource, options, o => ManagedFields.RecordUpdate(live, o, type.Schema, options.Manager, subresource));
        }
    }

    /// <summary>Patches an object: merge, JSON or strategic merge by content type.</summary>
    /// <exception cref="ApiException">400, 404, 409, 415, 422.</exception>
    public JsonObject Patch(ResourceType type, string ns, string name, string contentType, JsonNode? patch, string subresource, WriteOptions options)
    {
        lock (Store.Lock)
        {
            var live = Get(type, ns, name);
            JsonNode? patched;
            try
            {
                patched = contentType switch
                {
                    "application/merge-patch+json" => MergePatch.Apply(live, patch),
                    "application/json-patch+json" => JsonPatch.Apply(live, patch as JsonArray ?? throw new PatchException("a JSON patch is an array")),
                    "application/strategic-merge-patch+json" when !type.IsCustom =>
                        StrategicMergePatch.Apply(live, patch as JsonObject ?? throw new PatchException("a patch is an object"), type.Schema),
                    _ => throw ApiException.UnsupportedMediaType(contentType),
                };
            }
            catch (PatchException e)
            {
                throw ApiException.BadRequest(e.Message);
            }
            var value = Decode(type, ns, name, patched as JsonObject ?? throw ApiException.BadRequest("the patch leaves no object"), options);
            return Replace(type, live, value, subresource, options, o => ManagedFields.RecordUpdate(live, o, type.Schema, options.Manager, subresource));
        }
    }

    /// <summary>Server-side apply: creates or merges.</summary>
    /// <exception cref="ApiException">400, 404, 409 (another manager owns a field), 422.</exception>
    public (JsonObject Value, bool Created) Apply(ResourceType type, string ns, string name, JsonObject sent, string subresource, WriteOptions options)
    {
        lock (Store.Lock)
        {
            if (sent.At("metadata", "managedFields") is JsonArray { Count: > 0 })
            {
                throw ApiException.BadRequest("metadata.managedFields must be nil");
            }
            var applied = Decode(type, ns, name, sent, options, defaulting: false);
            var live = TryGet(type, ns, name);
            try
            {
                if (live is null)
                {
                    if (subresource.Length > 0 || applied.Text("metadata", "uid") is { Length: > 0 })
                    {
                        throw ApiException.NotFound(type, name);
                    }
                    applied.Meta()["name"] = name;
                    var wanted = applied.Clone();
                    Defaults.Apply(type, applied);
                    if (type.IsCustom)
                    {
                        SchemaWalker.ApplyDefaults(applied, type.Schema);
                    }
                    return (CreatePrepared(type, ns, applied, options, o =>
                    {
                        var owners = ManagedFields.Apply(null, wanted, type.Schema, options.Manager, subresource, options.Force);
                        o.Meta()["managedFields"] = owners.At("metadata", "managedFields")!.DeepClone();
                    }), true);
                }
                if (subresource == "status")
                {
                    applied = new JsonObject(applied.Where(p => p.Key is "apiVersion" or "kind" or "metadata" or "status").Select(p => KeyValuePair.Create(p.Key, p.Value?.DeepClone())));
                    applied["metadata"] = new JsonObject { ["name"] = name };
                }
                else if (type.HasStatus)
                {
                    applied.Remove("status");
                }
                var rv = sent.Text("metadata", "resourceVersion");
                var merged = ManagedFields.Apply(live, applied, type.Schema, options.Manager, subresource, options.Force);
                var owned = merged.At("metadata", "managedFields")!.DeepClone();
                merged.Meta()["resourceVersion"] = rv ?? live.Text("metadata", "resourceVersion");
                Defaults.Apply(type, merged);
                if (type.IsCustom)
                {
                    SchemaWalker.ApplyDefaults(merged, type.Schema);
                }
                return (Replace(type, live, merged, subresource, options, o => o.Meta()["managedFields"] = owned.DeepClone()), false);
            }
            catch (ApplyConflictException e)
            {
                throw ApiException.ApplyConflict(e.Message, e.Conflicts);
            }
        }
    }

    /// <summary>Decodes strictly: kind, names, unknown fields, defaults.</summary>
    private static JsonObject Decode(ResourceType type, string ns, string? name, JsonObject sent, WriteOptions options, bool defaulting = true)
    {
        var value = sent.Clone();
        var (apiVersion, kind) = (value.Text("apiVersion"), value.Text("kind"));
        if ((apiVersion ?? type.ApiVersion) != type.ApiVersion || (kind ?? type.Kind) != type.Kind)
        {
            throw ApiException.BadRequest($"the object in the body is {apiVersion}, Kind={kind}; this path takes {type.ApiVersion}, Kind={type.Kind}");
        }
        value["apiVersion"] = type.ApiVersion;
        value["kind"] = type.Kind;
        var meta = value.Meta();
        if (type.Namespaced)
        {
            if (meta.Text("namespace") is { Length: > 0 } given && given != ns)
            {
                throw ApiException.BadRequest($"the namespace of the provided object does not match the namespace sent on the request ({given}, {ns})");
            }
            meta["namespace"] = ns;
        }
        else
        {
            meta.Remove("namespace");
        }
        if (name is not null && meta.Text("name") is { Length: > 0 } bodyName && bodyName != name)
        {
            throw ApiException.BadRequest($"the name of the object ({bodyName}) does not match the name on the URL ({name})");
        }
        if (!type.IsCustom)
        {
            SchemaWalker.DropNulls(value);
        }
        else
        {
            SchemaWalker.DropNulls(meta);
        }
        var custom = type.IsCustom ? value["metadata"]!.DeepClone() : null;
        var unknown = type.IsCustom
            ? [.. SchemaWalker.Prune(WithoutMetadata(value), type.Schema), .. SchemaWalker.Prune(custom, BuiltInSchemas.Of(typeof(k8s.Models.V1ObjectMeta))).Select(p => $"metadata.{p}")]
            : SchemaWalker.Prune(value, type.Schema);
        if (unknown.Count > 0 && options.FieldValidation == "Strict")
        {
            throw ApiException.BadRequest(
                $"{type.Kind} in version \"{type.Version}\" cannot be handled as a {type.Kind}: strict decoding error: {string.Join(", ", unknown.Select(u => $"unknown field \"{u}\""))}");
        }
        if (type.IsCustom)
        {
            SchemaWalker.Prune(value, PrunedBody(type));
        }
        if (type == BuiltInTypes.Secrets && value.Object("stringData") is { } strings)
        {
            foreach (var (key, text) in strings)
            {
                value.Child("data")[key] = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(text.Text() ?? ""));
            }
            value.Remove("stringData");
        }
        if (defaulting)
        {
            Defaults.Apply(type, value);
            if (type.IsCustom)
            {
                SchemaWalker.ApplyDefaults(value, type.Schema);
            }
        }
        return value;
    }

    /// <summary>A custom type's schema with metadata left alone: ObjectMeta is checked by its own.</summary>
    private static Schema PrunedBody(ResourceType type) => new()
    {
        Type = SchemaType.Object,
        PreserveUnknown = type.Schema.PreserveUnknown,
        Properties = new Dictionary<string, Schema>(type.Schema.Properties!) { ["metadata"] = BuiltInSchemas.Of(typeof(k8s.Models.V1ObjectMeta)) },
    };

    private static JsonObject WithoutMetadata(JsonObject value)
    {
        var copy = value.Clone();
        copy.Remove("metadata");
        return copy;
    }

    private JsonObject Replace(ResourceType type, JsonObject live, JsonObject value, string subresource, WriteOptions options, Action<JsonObject> recordOwners)
    {
        var name = live.Name();
        if (value.Text("metadata", "uid") is { Length: > 0 } uid && uid != live.Uid())
        {
            throw ApiException.Conflict(type, name, $"Precondition failed: UID in precondition: {uid}, UID in object meta: {live.Uid()}");
        }
        if (value.Text("metadata", "resourceVersion") is { Length: > 0 } rv && rv != live.Text("metadata", "resourceVersion"))
        {
            throw ApiException.Conflict(type, name, "the object has been modified; please apply your changes to the latest version and try again");
        }
        if (subresource == "status")
        {
            var status = value["status"]?.DeepClone();
            value = live.Clone();
            value.Remove("status");
            if (status is not null)
            {
                value["status"] = status;
            }
        }
        else if (type.HasStatus)
        {
            value.Remove("status");
            if (live["status"] is { } status)
            {
                value["status"] = status.DeepClone();
            }
        }
        var meta = value.Meta();
        foreach (var field in (string[])["name", "namespace", "uid", "resourceVersion", "generateName", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "managedFields"])
        {
            meta.Remove(field);
            if (live.At("metadata", field) is { } kept)
            {
                meta[field] = kept.DeepClone();
            }
        }
        foreach (var empty in (string[])["labels", "annotations", "finalizers", "ownerReferences"])
        {
            if (meta[empty] is JsonObject { Count: 0 } or JsonArray { Count: 0 })
            {
                meta.Remove(empty);
            }
        }
        if (live.At("metadata", "deletionTimestamp") is not null && meta.Strings("finalizers").Except(live.Strings("metadata", "finalizers")).Any())
        {
            throw ApiException.Invalid(type, name, [FieldError.Forbidden("metadata.finalizers", "no new finalizers can be added if the object is being deleted")]);
        }
        if (subresource.Length == 0)
        {
            _admission.AdmitUpdate(type, value, live);
        }
        Check(type, value, live);
        if (Json.Same(value, live) && !OwnersChange(live, value, recordOwners))
        {
            return live;
        }
        if (type.HasGeneration && subresource.Length == 0 && !Json.Same(Wish(value), Wish(live)))
        {
            meta["generation"] = (live.Integer("metadata", "generation") ?? 0) + 1;
        }
        recordOwners(value);
        if (type == BuiltInTypes.CustomResourceDefinitions && subresource.Length == 0)
        {
            Register(value);
        }
        if (options.DryRun)
        {
            return value;
        }
        Store.Put(StorageOf(type), value);
        RemoveIfFinished(type, value);
        return value;
    }

    /// <summary>An apply that changes no field may still change who owns what.</summary>
    private static bool OwnersChange(JsonObject live, JsonObject value, Action<JsonObject> recordOwners)
    {
        var copy = value.Clone();
        recordOwners(copy);
        return !Json.Same(copy.At("metadata", "managedFields"), live.At("metadata", "managedFields"));
    }

    /// <summary>What counts for the generation: all but metadata and status.</summary>
    private static JsonObject Wish(JsonObject o)
    {
        var copy = o.Clone();
        copy.Remove("metadata");
        copy.Remove("status");
        return copy;
    }

    private static void Check(ResourceType type, JsonObject value, JsonObject? old)
    {
        var errors = MetadataValidation.Check(type, value);
        var body = type.IsCustom ? value : value.Clone();
        errors.AddRange(SchemaWalker.Validate(body, old, type.Schema));
        if (!type.IsCustom)
        {
            errors.AddRange(BuiltInValidation.Check(type, value, old));
        }
        if (errors.Count > 0)
        {
            throw ApiException.Invalid(type, value.Name(), errors);
        }
    }
}
