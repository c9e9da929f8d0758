using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Api;

/// <summary>Validation of built-in kinds beyond their schemas: enumerations, references inside an object, immutable fields.</summary>
internal static partial class BuiltInValidation
{
    [GeneratedRegex("^[-._a-zA-Z0-9]+$")]
    private static partial Regex ConfigKey();

    [GeneratedRegex("^(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$")]
    private static partial Regex PortName();

    public static IEnumerable<FieldError> Check(ResourceType type, JsonObject value, JsonObject? old) => type.GroupResource switch
    {
        "pods" => old is null ? Pod(value.Object("spec")!, "spec").Concat(PodNames(value)) : PodUpdate(value, old),
        "deployments.apps" or "replicasets.apps" => Workload(value, old),
        "configmaps" or "secrets" => Data(type, value, old),
        "services" => Service(value, old),
        "persistentvolumeclaims" => Claim(value, old),
        "rolebindings.rbac.authorization.k8s.io" or "clusterrolebindings.rbac.authorization.k8s.io" => Binding(value, old),
        "roles.rbac.authorization.k8s.io" or "clusterroles.rbac.authorization.k8s.io" => Rules(value),
        "poddisruptionbudgets.policy" => Budget(value),
        "storageclasses.storage.k8s.io" => Immutable(value, old, "provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
        "leases.coordination.k8s.io" => value.Integer("spec", "leaseDurationSeconds") <= 0
            ? [FieldError.Invalid("spec.leaseDurationSeconds", "0", "must be greater than 0")] : [],
        "networkpolicies.networking.k8s.io" => value.Object("spec", "podSelector") is null ? [FieldError.Required("spec.podSelector")] : [],
        _ => [],
    };

    private static IEnumerable<FieldError> OneOf(JsonObject o, string path, string field, params string[] allowed)
    {
        if (o.Text(field) is { } v && !allowed.Contains(v))
        {
            yield return new FieldError($"{path}.{field}", "FieldValueNotSupported", $"Unsupported value: \"{v}\": supported values: {string.Join(", ", allowed.Select(a => $"\"{a}\""))}");
        }
    }

    private static IEnumerable<FieldError> PodNames(JsonObject pod)
    {
        foreach (var field in ((string[])["hostname", "subdomain"]).Where(f => pod.Text("spec", f) is { } v && !MetadataValidation.IsLabel(v)))
        {
            yield return FieldError.Invalid($"spec.{field}", $"\"{pod.Text("spec", field)}\"", "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', at most 63");
        }
    }

    private static List<FieldError> Pod(JsonObject spec, string path)
    {
        var errors = new List<FieldError>();
        errors.AddRange(OneOf(spec, path, "restartPolicy", "Always", "OnFailure", "Never"));
        errors.AddRange(OneOf(spec, path, "dnsPolicy", "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"));
        var volumes = new HashSet<string>();
        var index = 0;
        foreach (var volume in spec.Objects("volumes"))
        {
            var name = volume.Text("name") ?? "";
            if (!MetadataValidation.IsLabel(name))
            {
                errors.Add(FieldError.Invalid($"{path}.volumes[{index}].name", $"\"{name}\"", "a lowercase RFC 1123 label is required"));
            }
            volumes.Add(name);
            var sources = volume.Select(p => p.Key).Where(k => k != "name").ToList();
            if (sources.Count > 1)
            {
                errors.Add(FieldError.Forbidden($"{path}.volumes[{index}]", "may not specify more than 1 volume type"));
            }
            else if (sources.Count == 0)
            {
                errors.Add(FieldError.Required($"{path}.volumes[{index}]", "must specify a volume type"));
            }
            index++;
        }
        if (!spec.Objects("containers").Any())
        {
            errors.Add(FieldError.Required($"{path}.containers"));
        }
        var names = new HashSet<string>();
        foreach (var list in (string[])["initContainers", "containers"])
        {
            index = 0;
            foreach (var container in spec.Objects(list))
            {
                var at = $"{path}.{list}[{index++}]";
                if (!names.Add(container.Text("name") ?? ""))
                {
                    errors.Add(new FieldError($"{at}.name", "FieldValueDuplicate", $"Duplicate value: \"{container.Text("name")}\""));
                }
                errors.AddRange(Container(container, at, volumes));
            }
        }
        foreach (var constraint in spec.Objects("topologySpreadConstraints"))
        {
            errors.AddRange(OneOf(constraint, $"{path}.topologySpreadConstraints", "whenUnsatisfiable", "DoNotSchedule", "ScheduleAnyway"));
            if (constraint.Integer("maxSkew") is <= 0)
            {
                errors.Add(FieldError.Invalid($"{path}.topologySpreadConstraints.maxSkew", "0", "must be greater than zero"));
            }
        }
        foreach (var toleration in spec.Objects("tolerations"))
        {
            errors.AddRange(OneOf(toleration, $"{path}.tolerations", "operator", "Exists", "Equal"));
            errors.AddRange(OneOf(toleration, $"{path}.tolerations", "effect", "NoSchedule", "PreferNoSchedule", "NoExecute"));
        }
        return errors;
    }

    private static List<FieldError> Container(JsonObject container, string at, HashSet<string> volumes)
    {
        var errors = new List<FieldError>();
        if (!MetadataValidation.IsLabel(container.Text("name") ?? ""))
        {
            errors.Add(FieldError.Invalid($"{at}.name", $"\"{container.Text("name")}\"", "a lowercase RFC 1123 label is required"));
        }
        if (container.Text("image") is null or "")
        {
            errors.Add(FieldError.Required($"{at}.image"));
        }
        errors.AddRange(OneOf(container, at, "imagePullPolicy", "Always", "IfNotPresent", "Never"));
        var ports = new HashSet<string>();
        foreach (var port in container.Objects("ports"))
        {
            if (port.Text("name") is { } name && (!PortName().IsMatch(name) || name.Contains("--", StringComparison.Ordinal)))
            {
                errors.Add(FieldError.Invalid($"{at}.ports.name", $"\"{name}\"", "must be no more than 15 characters, lower case alphanumeric or '-', at least one letter"));
            }
            if (port.Text("name") is { } unique && !ports.Add(unique))
            {
                errors.Add(new FieldError($"{at}.ports.name", "FieldValueDuplicate", $"Duplicate value: \"{unique}\""));
            }
            if (port.Integer("containerPort") is not (> 0 and < 65536))
            {
                errors.Add(FieldError.Invalid($"{at}.ports.containerPort", "0", "must be between 1 and 65535, inclusive"));
            }
        }
        var paths = new HashSet<string>();
        foreach (var mount in container.Objects("volumeMounts"))
        {
            if (!volumes.Contains(mount.Text("name") ?? ""))
            {
                errors.Add(new FieldError($"{at}.volumeMounts.name", "FieldValueNotFound", $"Not found: \"{mount.Text("name")}\""));
            }
            if (!paths.Add(mount.Text("mountPath") ?? ""))
            {
                errors.Add(FieldError.Invalid($"{at}.volumeMounts.mountPath", $"\"{mount.Text("mountPath")}\"", "must be unique"));
            }
        }
        foreach (var probe in ((string[])["livenessProbe", "readinessProbe", "startupProbe"]).Where(p => container.Object(p) is not null))
        {
            var handlers = ((string[])["httpGet", "tcpSocket", "exec", "grpc"]).Count(h => container.Object(probe, h) is not null);
            if (handlers != 1)
            {
                errors.Add(FieldError.Required($"{at}.{probe}", "must specify exactly one handler type"));
            }
            if (probe != "readinessProbe" && container.Integer(probe, "successThreshold") is > 1)
            {
                errors.Add(FieldError.Invalid($"{at}.{probe}.successThreshold", "2", "must be 1"));
            }
        }
        foreach (var env in container.Objects("env"))
        {
            if (env["value"] is not null && env.Text("value") is { Length: > 0 } && env["valueFrom"] is not null)
            {
                errors.Add(FieldError.Invalid($"{at}.env[{env.Text("name")}].valueFrom", "\"\"", "may not be specified when `value` is not empty"));
            }
        }
        foreach (var (name, limit) in container.Object("resources", "limits") ?? [])
        {
            if (container.At("resources", "requests", name) is { } request &&
                Quantity.TryParse(request.Text() ?? request.ToJsonString(), out var r) && Quantity.TryParse(limit.Text() ?? limit!.ToJsonString(), out var l) && r.CompareTo(l) > 0)
            {
                errors.Add(FieldError.Invalid($"{at}.resources.requests", $"\"{request}\"", $"must be less than or equal to {name} limit of {limit}"));
            }
        }
        return errors;
    }

    private static IEnumerable<FieldError> PodUpdate(JsonObject value, JsonObject old)
    {
        var (now, before) = (value.Object("spec")!.Clone(), old.Object("spec")!.Clone());
        if (now.Text("nodeName") is { } node && before.Text("nodeName") is null)
        {
            before["nodeName"] = node; // binding
        }
        before.Remove("activeDeadlineSeconds");
        now.Remove("activeDeadlineSeconds");
        before.Remove("tolerations");
        now.Remove("tolerations");
        foreach (var spec in (JsonObject[])[now, before])
        {
            foreach (var container in spec.Objects("containers").Concat(spec.Objects("initContainers")))
            {
                container.Remove("image");
            }
        }
        if (!Json.Same(now, before))
        {
            yield return FieldError.Forbidden("spec", "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)");
        }
        if (old.Array("spec", "tolerations") is { } tolerations && tolerations.Any(t => value.Array("spec", "tolerations")?.Any(n => Json.Same(n, t)) != true))
        {
            yield return FieldError.Forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds");
        }
    }

    private static IEnumerable<FieldError> Workload(JsonObject value, JsonObject? old)
    {
        if (old is not null && !Json.Same(value.At("spec", "selector"), old.At("spec", "selector")))
        {
            yield return FieldError.Invalid("spec.selector", "\"selector\"", "field is immutable");
        }
        if (!Selectors.Matches(value.Object("spec", "selector"), value.Object("spec", "template", "metadata", "labels")))
        {
            yield return FieldError.Invalid("spec.template.metadata.labels", "\"labels\"", "`selector` does not match template `labels`");
        }
        foreach (var error in Pod(value.Object("spec", "template", "spec") ?? [], "spec.template.spec").Concat(MetadataValidation.CheckLabels(value.Object("spec", "template", "metadata", "labels"), "spec.template.labels")))
        {
            yield return error;
        }
    }

    private static IEnumerable<FieldError> Data(ResourceType type, JsonObject value, JsonObject? old)
    {
        foreach (var key in ((string[])["data", "binaryData"]).SelectMany(f => value.Object(f) ?? []).Select(p => p.Key).Where(k => k.Length > 253 || !ConfigKey().IsMatch(k)))
        {
            yield return FieldError.Invalid($"data[{key}]", $"\"{key}\"", "a valid config key must consist of alphanumeric characters, '-', '_' or '.'");
        }
        if (old?.Flag("immutable") is true && (!Json.Same(value["data"], old["data"]) || value.Flag("immutable") is not true))
        {
            yield return FieldError.Forbidden("data", "field is immutable when `immutable` is set");
        }
        if (type == BuiltInTypes.Secrets && old is not null && value.Text("type") != old.Text("type"))
        {
            yield return FieldError.Invalid("type", $"\"{value.Text("type")}\"", "field is immutable");
        }
    }

    private static IEnumerable<FieldError> Service(JsonObject value, JsonObject? old)
    {
        if (old is not null && old.Text("spec", "clusterIP") is { Length: > 0 } ip && value.Text("spec", "clusterIP") != ip)
        {
            yield return FieldError.Invalid("spec.clusterIPs[0]", $"\"{value.Text("spec", "clusterIP")}\"", "may not change once set");
        }
        var ports = value.Objects("spec", "ports").ToList();
        if (ports.Count == 0 && value.Text("spec", "clusterIP") != "None" && value.Text("spec", "type") != "ExternalName")
        {
            yield return FieldError.Required("spec.ports");
        }
        foreach (var port in ports.Where(p => ports.Count > 1 && p.Text("name") is null or ""))
        {
            yield return FieldError.Required($"spec.ports[{ports.IndexOf(port)}].name");
        }
        foreach (var error in value.Object("spec") is { } spec ? OneOf(spec, "spec", "type", "ClusterIP", "NodePort", "LoadBalancer", "ExternalName") : [])
        {
            yield return error;
        }
    }

    private static IEnumerable<FieldError> Claim(JsonObject value, JsonObject? old)
    {
        if (!value.Strings("spec", "accessModes").Any())
        {
            yield return FieldError.Required("spec.accessModes", "at least 1 access mode is required");
        }
        var size = Size(value);
        if (size is null)
        {
            yield return FieldError.Required("spec.resources[storage]");
        }
        if (old is null)
        {
            yield break;
        }
        var (now, before) = (value.Object("spec")!.Clone(), old.Object("spec")!.Clone());
        if (before.Text("volumeName") is null)
        {
            before.Remove("volumeName");
            now.Remove("volumeName");
        }
        if (before.Text("storageClassName") is null)
        {
            now.Remove("storageClassName");
        }
        foreach (var spec in (JsonObject[])[now, before])
        {
            (spec.Object("resources") ?? []).Remove("requests");
        }
        if (!Json.Same(now, before))
        {
            yield return FieldError.Forbidden("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims");
        }
        if (size is { } s && Size(old) is { } was && s.CompareTo(was) < 0)
        {
            yield return FieldError.Forbidden("spec.resources.requests.storage", "field can not be less than status.capacity");
        }
    }

    private static Quantity? Size(JsonObject claim) =>
        claim.At("spec", "resources", "requests", "storage") is { } s && Quantity.TryParse(s.Text() ?? s.ToJsonString(), out var q) ? q : null;

    private static IEnumerable<FieldError> Binding(JsonObject value, JsonObject? old)
    {
        if (old is not null && !Json.Same(value["roleRef"], old["roleRef"]))
        {
            yield return FieldError.Invalid("roleRef", "\"roleRef\"", "cannot change roleRef");
        }
        foreach (var subject in value.Objects("subjects").Where(s => s.Text("kind") == "ServiceAccount" && s.Text("namespace") is null or ""))
        {
            yield return FieldError.Required("subjects[0].namespace");
        }
    }

    private static IEnumerable<FieldError> Rules(JsonObject value)
    {
        var index = 0;
        foreach (var rule in value.Objects("rules"))
        {
            if (!rule.Strings("nonResourceURLs").Any() && (!rule.Strings("resources").Any() || rule.Array("apiGroups") is not { Count: > 0 }))
            {
                yield return FieldError.Required($"rules[{index}].apiGroups", "resource rules must supply at least one api group and resource");
            }
            if (!rule.Strings("verbs").Any())
            {
                yield return FieldError.Required($"rules[{index}].verbs", "verbs must contain at least one value");
            }
            index++;
        }
    }

    private static IEnumerable<FieldError> Budget(JsonObject value)
    {
        if (value.At("spec", "minAvailable") is not null && value.At("spec", "maxUnavailable") is not null)
        {
            yield return FieldError.Invalid("spec", "\"spec\"", "minAvailable and maxUnavailable cannot be both set");
        }
    }

    private static IEnumerable<FieldError> Immutable(JsonObject value, JsonObject? old, params string[] fields) =>
        fields.Where(f => old is not null && !Json.Same(value[f], old[f])).Select(f => FieldError.Forbidden(f, $"updates to {f} are forbidden."));
}
