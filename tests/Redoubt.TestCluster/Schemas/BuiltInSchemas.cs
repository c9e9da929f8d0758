using System.Collections;
using System.Collections.Concurrent;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using k8s.Models;

namespace Redoubt.TestCluster.Schemas;

/// <summary>
/// Schemas of the built-in kinds by reflection over KubernetesClient's models (generated from Kubernetes' own OpenAPI). What the models do
/// not carry (list keys, required fields) is in the tables below, taken from the published OpenAPI of the types used here.
/// </summary>
public static class BuiltInSchemas
{
    private static readonly ConcurrentDictionary<Type, Schema> Cache = new();

    /// <summary>(model, field) → keys of server-side apply; the first is the strategic merge key too.</summary>
    private static readonly Dictionary<(string Model, string Field), string[]> MapLists = new()
    {
        [("V1ObjectMeta", "ownerReferences")] = ["uid"],
        [("V1PodSpec", "containers")] = ["name"],
        [("V1PodSpec", "initContainers")] = ["name"],
        [("V1PodSpec", "ephemeralContainers")] = ["name"],
        [("V1PodSpec", "volumes")] = ["name"],
        [("V1PodSpec", "imagePullSecrets")] = ["name"],
        [("V1PodSpec", "hostAliases")] = ["ip"],
        [("V1PodSpec", "topologySpreadConstraints")] = ["topologyKey", "whenUnsatisfiable"],
        [("V1PodStatus", "conditions")] = ["type"],
        [("V1PodStatus", "podIPs")] = ["ip"],
        [("V1Container", "env")] = ["name"],
        [("V1Container", "ports")] = ["containerPort", "protocol"],
        [("V1Container", "volumeMounts")] = ["mountPath"],
        [("V1Container", "volumeDevices")] = ["devicePath"],
        [("V1ServiceSpec", "ports")] = ["port", "protocol"],
        [("V1ServiceStatus", "conditions")] = ["type"],
        [("V1ServiceAccount", "secrets")] = ["name"],
        [("V1PersistentVolumeClaimStatus", "conditions")] = ["type"],
        [("V1DeploymentStatus", "conditions")] = ["type"],
        [("V1ReplicaSetStatus", "conditions")] = ["type"],
        [("V1NodeStatus", "conditions")] = ["type"],
        [("V1NodeStatus", "addresses")] = ["type"],
        [("V1NamespaceStatus", "conditions")] = ["type"],
        [("V1PodDisruptionBudgetStatus", "conditions")] = ["type"],
        [("V1CustomResourceDefinitionStatus", "conditions")] = ["type"],
    };

    private static readonly HashSet<(string Model, string Field)> Sets =
        [("V1ObjectMeta", "finalizers"), ("V1ServiceSpec", "loadBalancerSourceRanges"), ("V1NodeSpec", "podCIDRs")];

    private static readonly HashSet<string> AtomicModels =
        ["V1LabelSelector", "V1NodeSelector", "V1NodeSelectorTerm", "V1ObjectReference", "V1TypedLocalObjectReference", "V1LocalObjectReference",
         "V1ObjectFieldSelector", "V1ResourceFieldSelector", "V1SecretKeySelector", "V1ConfigMapKeySelector", "V1TopologySelectorTerm"];

    private static readonly Dictionary<string, string[]> RequiredFields = new()
    {
        ["V1PodSpec"] = ["containers"],
        ["V1Container"] = ["name"],
        ["V1EnvVar"] = ["name"],
        ["V1ContainerPort"] = ["containerPort"],
        ["V1VolumeMount"] = ["name", "mountPath"],
        ["V1Volume"] = ["name"],
        ["V1ServicePort"] = ["port"],
        ["V1HTTPGetAction"] = ["port"],
        ["V1TCPSocketAction"] = ["port"],
        ["V1OwnerReference"] = ["apiVersion", "kind", "name", "uid"],
        ["V1RoleBinding"] = ["roleRef"],
        ["V1ClusterRoleBinding"] = ["roleRef"],
        ["V1RoleRef"] = ["apiGroup", "kind", "name"],
        ["Rbacv1Subject"] = ["kind", "name"],
        ["V1PolicyRule"] = ["verbs"],
        ["V1DeploymentSpec"] = ["selector", "template"],
        ["V1ReplicaSetSpec"] = ["selector"],
        ["V1StorageClass"] = ["provisioner"],
        ["V1TopologySpreadConstraint"] = ["maxSkew", "topologyKey", "whenUnsatisfiable"],
        ["V1PodAffinityTerm"] = ["topologyKey"],
        ["V1WeightedPodAffinityTerm"] = ["weight", "podAffinityTerm"],
        ["V1LabelSelectorRequirement"] = ["key", "operator"],
        ["V1NodeSelectorRequirement"] = ["key", "operator"],
        ["V1NodeSelector"] = ["nodeSelectorTerms"],
        ["V1SecretKeySelector"] = ["key"],
        ["V1ConfigMapKeySelector"] = ["key"],
        ["V1ObjectFieldSelector"] = ["fieldPath"],
        ["V1KeyToPath"] = ["key", "path"],
        ["V1SeccompProfile"] = ["type"],
    };

    /// <summary>The schema of a model type of KubernetesClient.</summary>
    public static Schema Of(Type model) => Cache.TryGetValue(model, out var known) ? known : Build(model);

    private static Schema Build(Type model)
    {
        var schema = new Schema { Type = SchemaType.Object };
        Cache[model] = schema; // before the fields: models refer to themselves
        schema.AtomicMap = AtomicModels.Contains(model.Name);
        schema.Required = RequiredFields.GetValueOrDefault(model.Name) ?? [];
        schema.Properties = [];
        foreach (var property in model.GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (property.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name is not { } name)
            {
                continue;
            }
            var field = OfType(property.PropertyType, model.Name, name);
            if (MapLists.TryGetValue((model.Name, name), out var keys))
            {
                field.ListType = "map";
                field.ListMapKeys = keys;
                field.PatchMergeKey = keys[0];
            }
            else if (Sets.Contains((model.Name, name)))
            {
                field.ListType = "set";
            }
            schema.Properties[name] = field;
        }
        return schema;
    }

    private static Schema OfType(Type type, string model, string field)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(string))
        {
            return new Schema { Type = SchemaType.String };
        }
        if (type == typeof(bool))
        {
            return new Schema { Type = SchemaType.Boolean };
        }
        if (type == typeof(int) || type == typeof(long))
        {
            return new Schema { Type = SchemaType.Integer };
        }
        if (type == typeof(double) || type == typeof(float))
        {
            return new Schema { Type = SchemaType.Number };
        }
        if (type == typeof(DateTime))
        {
            return new Schema { Type = SchemaType.String, Format = "date-time", Nullable = true };
        }
        if (type == typeof(byte[]))
        {
            return new Schema { Type = SchemaType.String, Format = "byte" };
        }
        if (type.Name == "IntOrString" || type.Name == "IntstrIntOrString")
        {
            return new Schema { IntOrString = true };
        }
        if (type == typeof(ResourceQuantity))
        {
            return new Schema { Quantity = true };
        }
        if (type == typeof(object) || type == typeof(JsonElement) || type == typeof(V1JSONSchemaProps))
        {
            return new Schema { PreserveUnknown = true };
        }
        if (type.IsGenericType && type.GetGenericArguments() is [var key, var value] && key == typeof(string))
        {
            return new Schema { Type = SchemaType.Object, AdditionalProperties = OfType(value, model, field) };
        }
        if (type.IsGenericType && type.GetGenericArguments() is [var item] && typeof(IEnumerable).IsAssignableFrom(type))
        {
            return new Schema { Type = SchemaType.Array, Items = OfType(item, model, field) };
        }
        return Of(type);
    }
}
