using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Redoubt.TestCluster.Api;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Kubelet;

/// <summary>A container that cannot be made now: the reason and message of its waiting state.</summary>
internal sealed class SetupException(string reason, string message) : Exception(message)
{
    public string Reason { get; } = reason;
}

/// <summary>From a container of a pod spec to environment, command and identity.</summary>
internal static partial class ContainerSetup
{
    [GeneratedRegex(@"\$\$|\$\((?<name>[A-Za-z_][A-Za-z0-9_.-]*)\)")]
    private static partial Regex Reference();

    public static Dictionary<string, string> Environment(Registry registry, JsonObject pod, JsonObject container, Image image, string podIp, IReadOnlyDictionary<string, string> service)
    {
        var env = new Dictionary<string, string>(image.Environment, StringComparer.Ordinal) { ["HOSTNAME"] = pod.Text("spec", "hostname") ?? pod.Name() };
        foreach (var (name, value) in service)
        {
            env[name] = value;
        }
        foreach (var from in container.Objects("envFrom"))
        {
            var (type, reference) = from.Object("secretRef") is { } s ? (BuiltInTypes.Secrets, s) : (BuiltInTypes.ConfigMaps, from.Object("configMapRef")!);
            var source = registry.TryGet(type, pod.Namespace(), reference.Text("name") ?? "");
            if (source is null && reference.Flag("optional") is not true)
            {
                throw new SetupException("CreateContainerConfigError", $"{type.Singular} \"{reference.Text("name")}\" not found");
            }
            foreach (var (key, value) in source.Object("data") ?? [])
            {
                env[(from.Text("prefix") ?? "") + key] = type == BuiltInTypes.Secrets ? Encoding.UTF8.GetString(Convert.FromBase64String(value.Text() ?? "")) : value.Text() ?? "";
            }
        }
        foreach (var variable in container.Objects("env"))
        {
            var name = variable.Text("name")!;
            if (variable.Object("valueFrom") is not { } from)
            {
                env[name] = Expand(variable.Text("value") ?? "", env);
            }
            else if (Value(registry, pod, container, from, podIp) is { } value)
            {
                env[name] = value;
            }
        }
        return env;
    }

    private static string? Value(Registry registry, JsonObject pod, JsonObject container, JsonObject from, string podIp)
    {
        if (from.Text("fieldRef", "fieldPath") is { } path)
        {
            return Field(pod, path, podIp);
        }
        if (from.Object("resourceFieldRef") is { } resource)
        {
            return Resource(container, resource);
        }
        var (type, key) = from.Object("secretKeyRef") is { } s ? (BuiltInTypes.Secrets, s) : (BuiltInTypes.ConfigMaps, from.Object("configMapKeyRef")!);
        var source = registry.TryGet(type, pod.Namespace(), key.Text("name") ?? "");
        if (source.Text("data", key.Text("key") ?? "") is { } value)
        {
            return type == BuiltInTypes.Secrets ? Encoding.UTF8.GetString(Convert.FromBase64String(value)) : value;
        }
        return key.Flag("optional") is true ? null : throw new SetupException("CreateContainerConfigError",
            source is null ? $"{type.Singular} \"{key.Text("name")}\" not found" : $"couldn't find key {key.Text("key")} in {type.Kind} {pod.Namespace()}/{key.Text("name")}");
    }

    [GeneratedRegex(@"^metadata\.(?<map>labels|annotations)\['(?<key>[^']+)'\]$")]
    private static partial Regex MapField();

    public static string Field(JsonObject pod, string path, string podIp)
    {
        if (MapField().Match(path) is { Success: true } map)
        {
            return pod.Text("metadata", map.Groups["map"].Value, map.Groups["key"].Value) ?? "";
        }
        return path switch
        {
            "status.podIP" or "status.podIPs" => podIp,
            "status.hostIP" or "status.hostIPs" => "127.0.0.1",
            "metadata.labels" or "metadata.annotations" => string.Join('\n', (pod.Object("metadata", path[9..]) ?? []).Select(p => $"{p.Key}={p.Value?.ToJsonString()}")),
            _ => pod.At(path.Split('.')).Text() ?? "",
        };
    }

    private static string Resource(JsonObject container, JsonObject reference)
    {
        var path = (reference.Text("resource") ?? "").Split('.');
        var text = container.At(["resources", .. path]) is { } r ? r.Text() ?? r.ToJsonString() : path[^1] == "cpu" ? "8" : "32Gi";
        var divisor = Quantity.TryParse(reference.Text("divisor") is { Length: > 0 } d && d != "0" ? d : "1", out var q) ? q.Value : 1;
        return Quantity.TryParse(text, out var value) ? decimal.Ceiling(value.Value / divisor).ToString("0", CultureInfo.InvariantCulture) : "0";
    }

    /// <summary><c>$(NAME)</c> of variables defined before; unknown names stay as they are.</summary>
    public static string Expand(string text, IReadOnlyDictionary<string, string> env) => Reference().Replace(text, m =>
        m.Value == "$$" ? "$" : env.TryGetValue(m.Groups["name"].Value, out var value) ? value : m.Value);

    public static IReadOnlyList<string> Command(JsonObject container, Image image, IReadOnlyDictionary<string, string> env)
    {
        if (container.Text("workingDir") is { } folder && folder != "/")
        {
            throw new SetupException("CreateContainerError", $"workingDir {folder} is not supported by the test kubelet");
        }
        var command = container.Strings("command").ToList();
        List<string> all = [.. command.Count > 0 ? command : image.Entrypoint, .. container.Strings("args")];
        return all.Count > 0 ? [.. all.Select(a => Expand(a, env))] : throw new SetupException("CreateContainerError", "no command specified");
    }

    public static (int User, int Group, IReadOnlyList<int> Groups) Identity(JsonObject pod, JsonObject container, Image image)
    {
        long? Setting(string name) => container.Integer("securityContext", name) ?? pod.Integer("spec", "securityContext", name);
        var user = (int)(Setting("runAsUser") ?? image.User);
        if (user == 0 && (container.Flag("securityContext", "runAsNonRoot") ?? pod.Flag("spec", "securityContext", "runAsNonRoot")) is true)
        {
            throw new SetupException("CreateContainerConfigError", "container has runAsNonRoot and image will run as root");
        }
        var group = (int)(Setting("runAsGroup") ?? 0);
        var groups = pod.Array("spec", "securityContext", "supplementalGroups")?.Select(g => int.Parse(g!.ToJsonString(), CultureInfo.InvariantCulture)) ?? [];
        return (user, group, [.. groups, .. FsGroup(pod) is { } fs ? (int[])[fs] : []]);
    }

    public static int? FsGroup(JsonObject pod) => (int?)pod.Integer("spec", "securityContext", "fsGroup");
}
