using System.Globalization;
using System.Text.Json.Nodes;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Api;

/// <summary>The admission plugins that every cluster runs: namespaces, service accounts, Pod Security, default storage class, cluster IPs.</summary>
internal sealed class Admission(Registry registry)
{
    private int _lastIp;

    public void Admit(ResourceType type, string ns, JsonObject value)
    {
        if (type.Namespaced)
        {
            var home = registry.Get(BuiltInTypes.Namespaces, "", ns);
            if (home.At("metadata", "deletionTimestamp") is not null)
            {
                throw ApiException.NamespaceTerminating(type, value.Name(), ns);
            }
            registry.Webhook?.Invoke(type, value);
            if (type == BuiltInTypes.Pods)
            {
                AdmitPod(home, value);
            }
        }
        if (type.Namespaced)
        {
            Quotas.Admit(registry, type, ns, value);
        }
        if (type == BuiltInTypes.Services)
        {
            AllocateIp(value);
        }
        if (type == BuiltInTypes.Claims)
        {
            value.Meta()["finalizers"] = new JsonArray([.. value.Strings("metadata", "finalizers").Append("kubernetes.io/pvc-protection").Distinct().Select(f => (JsonNode)f)]);
            value["status"] = new JsonObject { ["phase"] = "Pending" };
            DefaultStorageClass(value);
        }
        if (type == BuiltInTypes.Pods)
        {
            value["status"] = new JsonObject { ["phase"] = "Pending", ["qosClass"] = "Burstable" };
        }
        if (type == BuiltInTypes.Namespaces)
        {
            value["status"] = new JsonObject { ["phase"] = "Active" };
        }
    }

    public void AdmitUpdate(ResourceType type, JsonObject value, JsonObject old)
    {
        if (type == BuiltInTypes.Pods && value.Object("spec") is { } spec)
        {
            AddTolerations(spec);
            foreach (var field in (string[])["serviceAccountName", "serviceAccount", "nodeName"])
            {
                if (spec[field] is null && old.Object("spec")?[field] is { } kept)
                {
                    spec[field] = kept.DeepClone();
                }
            }
        }
        if (type == BuiltInTypes.Claims && !Json.Same(value.At("spec", "resources", "requests", "storage"), old.At("spec", "resources", "requests", "storage")))
        {
            var sc = value.Text("spec", "storageClassName") is { Length: > 0 } name ? registry.TryGet(BuiltInTypes.StorageClasses, "", name) : null;
            if (old.Text("status", "phase") != "Bound")
            {
                throw ApiException.Invalid(type, value.Name(), [FieldError.Forbidden("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims")]);
            }
            if (sc?.Flag("allowVolumeExpansion") is not true)
            {
                throw ApiException.Forbidden(type, value.Name(), "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize");
            }
        }
        if (type == BuiltInTypes.Services && old.Text("spec", "clusterIP") is { Length: > 0 } ip && value.Text("spec", "clusterIP") is null or "")
        {
            value.Child("spec")["clusterIP"] = old.Text("spec", "clusterIP");
            value.Child("spec")["clusterIPs"] = old.At("spec", "clusterIPs")?.DeepClone();
        }
    }

    private void AllocateIp(JsonObject service)
    {
        var spec = service.Child("spec");
        if (spec.Text("clusterIP") is null or "" && spec.Text("type") != "ExternalName")
        {
            var n = Interlocked.Increment(ref _lastIp);
            spec["clusterIP"] = string.Create(CultureInfo.InvariantCulture, $"10.96.{n / 250}.{1 + (n % 250)}");
        }
        if (spec.Text("clusterIP") is { Length: > 0 } ip)
        {
            spec["clusterIPs"] = new JsonArray(ip);
        }
        service["status"] = new JsonObject { ["loadBalancer"] = new JsonObject() };
    }

    private void DefaultStorageClass(JsonObject claim)
    {
        if (claim.At("spec", "storageClassName") is not null)
        {
            return;
        }
        var byDefault = registry.List(BuiltInTypes.StorageClasses)
            .FirstOrDefault(s => s.Text("metadata", "annotations", "storageclass.kubernetes.io/is-default-class") == "true");
        if (byDefault is not null)
        {
            claim.Child("spec")["storageClassName"] = byDefault.Name();
        }
    }

    private void AdmitPod(JsonObject home, JsonObject pod)
    {
        var spec = pod.Child("spec");
        var account = spec.Text("serviceAccountName") is { Length: > 0 } given ? given : "default";
        spec["serviceAccountName"] = account;
        spec["serviceAccount"] = account;
        if (registry.TryGet(BuiltInTypes.ServiceAccounts, home.Name(), account) is null)
        {
            throw ApiException.Forbidden(BuiltInTypes.Pods, pod.Name(), $"error looking up service account {home.Name()}/{account}: serviceaccount \"{account}\" not found");
        }
        AddTolerations(spec);
        if (home.Text("metadata", "labels", "pod-security.kubernetes.io/enforce") == "restricted" && PodSecurity.Restricted(spec) is { Count: > 0 } faults)
        {
            throw ApiException.Forbidden(BuiltInTypes.Pods, pod.Name(), $"violates PodSecurity \"restricted:latest\": {string.Join(", ", faults)}");
        }
    }

    /// <summary>DefaultTolerationSeconds: on creation and on every update.</summary>
    private static void AddTolerations(JsonObject spec)
    {
        var tolerations = spec.Array("tolerations") ?? [];
        if (tolerations.Parent is null)
        {
            spec["tolerations"] = tolerations;
        }
        foreach (var key in (string[])["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"])
        {
            if (!tolerations.Objects().Any(t => t.Text("key") == key))
            {
                tolerations.Add(new JsonObject { ["key"] = key, ["operator"] = "Exists", ["effect"] = "NoExecute", ["tolerationSeconds"] = 300 });
            }
        }
    }
}
