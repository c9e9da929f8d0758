using System.Text.Json.Nodes;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Api;

/// <summary>Defaults of built-in kinds (pkg/apis/*/v1/defaults.go of Kubernetes, the part that is visible to operators).</summary>
internal static class Defaults
{
    public static void Apply(ResourceType type, JsonObject value)
    {
        var spec = value.Object("spec");
        switch (type.GroupResource)
        {
            case "pods" when spec is not null:
                Pod(spec);
                break;
            case "deployments.apps" when spec is not null:
                Set(spec, "replicas", 1);
                Set(spec, "revisionHistoryLimit", 10);
                Set(spec, "progressDeadlineSeconds", 600);
                Set(spec, "strategy", new JsonObject());
                Set(spec.Child("strategy"), "type", "RollingUpdate");
                if (spec.Text("strategy", "type") == "RollingUpdate")
                {
                    var rolling = spec.Child("strategy").Child("rollingUpdate");
                    Set(rolling, "maxUnavailable", "25%");
                    Set(rolling, "maxSurge", "25%");
                }
                Template(spec);
                break;
            case "replicasets.apps" when spec is not null:
                Set(spec, "replicas", 1);
                Template(spec);
                break;
            case "services" when spec is not null:
                Service(spec);
                break;
            case "persistentvolumeclaims" when spec is not null:
                Set(spec, "volumeMode", "Filesystem");
                break;
            case "secrets":
                Set(value, "type", "Opaque");
                break;
            case "storageclasses.storage.k8s.io":
                Set(value, "reclaimPolicy", "Delete");
                Set(value, "volumeBindingMode", "Immediate");
                break;
            case "rolebindings.rbac.authorization.k8s.io" or "clusterrolebindings.rbac.authorization.k8s.io":
                foreach (var subject in value.Objects("subjects").Where(s => s.Text("kind") is "User" or "Group"))
                {
                    Set(subject, "apiGroup", "rbac.authorization.k8s.io");
                }
                break;
            case "networkpolicies.networking.k8s.io" when spec is not null:
                Set(spec, "policyTypes", spec["egress"] is null ? new JsonArray("Ingress") : new JsonArray("Ingress", "Egress"));
                foreach (var port in spec.Objects("ingress").Concat(spec.Objects("egress")).SelectMany(r => r.Objects("ports")))
                {
                    Set(port, "protocol", "TCP");
                }
                break;
            case "customresourcedefinitions.apiextensions.k8s.io" when spec is not null:
                Set(spec, "conversion", new JsonObject { ["strategy"] = "None" });
                Set(spec.Child("names"), "singular", spec.Text("names", "kind")?.ToLowerInvariant() ?? "");
                Set(spec.Child("names"), "listKind", spec.Text("names", "kind") + "List");
                break;
            case "namespaces":
                value.Child("spec")["finalizers"] = new JsonArray("kubernetes");
                value.Meta().Child("labels")["kubernetes.io/metadata.name"] = value.Name();
                Set(value, "status", new JsonObject { ["phase"] = "Active" });
                break;
        }
    }

    private static void Set(JsonObject o, string name, JsonNode value)
    {
        if (o[name] is null)
        {
            o[name] = value;
        }
    }

    private static void Template(JsonObject spec)
    {
        if (spec.Object("template", "spec") is { } pod)
        {
            Pod(pod);
        }
    }

    private static void Pod(JsonObject spec)
    {
        Set(spec, "restartPolicy", "Always");
        Set(spec, "terminationGracePeriodSeconds", 30);
        Set(spec, "dnsPolicy", "ClusterFirst");
        Set(spec, "securityContext", new JsonObject());
        Set(spec, "schedulerName", "default-scheduler");
        Set(spec, "enableServiceLinks", true);
        if (spec.Text("serviceAccountName") is { } account)
        {
            Set(spec, "serviceAccount", account);
        }
        foreach (var container in spec.Objects("containers").Concat(spec.Objects("initContainers")))
        {
            var image = container.Text("image") ?? "";
            var isLatest = !image.Contains('@') && (!image[(image.LastIndexOf('/') + 1)..].Contains(':') || image.EndsWith(":latest", StringComparison.Ordinal));
            Set(container, "imagePullPolicy", isLatest ? "Always" : "IfNotPresent");
            Set(container, "terminationMessagePath", "/dev/termination-log");
            Set(container, "terminationMessagePolicy", "File");
            Set(container, "resources", new JsonObject());
            foreach (var port in container.Objects("ports"))
            {
                Set(port, "protocol", "TCP");
            }
            foreach (var field in container.Objects("env").Select(e => e.Object("valueFrom", "fieldRef")).OfType<JsonObject>())
            {
                Set(field, "apiVersion", "v1");
            }
            foreach (var probe in ((string[])["livenessProbe", "readinessProbe", "startupProbe"]).Select(p => container.Object(p)).OfType<JsonObject>())
            {
                Set(probe, "timeoutSeconds", 1);
                Set(probe, "periodSeconds", 10);
                Set(probe, "successThreshold", 1);
                Set(probe, "failureThreshold", 3);
                if (probe.Object("httpGet") is { } http)
                {
                    Set(http, "scheme", "HTTP");
                    Set(http, "path", "/");
                }
            }
            if (container.Object("resources", "limits") is { } limits)
            {
                foreach (var (name, limit) in limits)
                {
                    Set(container.Child("resources").Child("requests"), name, limit!.DeepClone());
                }
            }
        }
        foreach (var volume in spec.Objects("volumes"))
        {
            foreach (var source in (string[])["secret", "configMap", "projected", "downwardAPI"])
            {
                if (volume.Object(source) is { } o)
                {
                    Set(o, "defaultMode", 420);
                }
            }
            foreach (var field in volume.Objects("projected", "sources").Concat(volume.Object("downwardAPI") is { } d ? [new JsonObject { ["downwardAPI"] = d.DeepClone() }] : [])
                         .SelectMany(s => s.Objects("downwardAPI", "items")).Select(i => i.Object("fieldRef")).OfType<JsonObject>())
            {
                Set(field, "apiVersion", "v1");
            }
            foreach (var token in volume.Objects("projected", "sources").Select(s => s.Object("serviceAccountToken")).OfType<JsonObject>())
            {
                Set(token, "expirationSeconds", 3600);
            }
        }
    }

    private static void Service(JsonObject spec)
    {
        Set(spec, "type", "ClusterIP");
        Set(spec, "sessionAffinity", "None");
        Set(spec, "internalTrafficPolicy", "Cluster");
        if (spec.Text("type") is "NodePort" or "LoadBalancer")
        {
            Set(spec, "externalTrafficPolicy", "Cluster");
            Set(spec, "allocateLoadBalancerNodePorts", true);
        }
        foreach (var port in spec.Objects("ports"))
        {
            Set(port, "protocol", "TCP");
            Set(port, "targetPort", port["port"]?.DeepClone() ?? 0);
        }
        Set(spec, "ipFamilies", new JsonArray("IPv4"));
        Set(spec, "ipFamilyPolicy", "SingleStack");
        if (spec.Text("clusterIP") is { Length: > 0 } ip)
        {
            Set(spec, "clusterIPs", new JsonArray(ip));
        }
    }
}
