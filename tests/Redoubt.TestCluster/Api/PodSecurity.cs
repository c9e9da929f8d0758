using System.Text.Json.Nodes;

namespace Redoubt.TestCluster.Api;

/// <summary>The Pod Security Standard "restricted" (with "baseline" inside it).</summary>
public static class PodSecurity
{
    private static readonly HashSet<string> Volumes = ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

    /// <summary>Each fault of a pod spec, in the words of the admission plugin.</summary>
    public static IReadOnlyList<string> Restricted(JsonObject spec)
    {
        var faults = new List<string>();
        foreach (var flag in ((string[])["hostNetwork", "hostPID", "hostIPC"]).Where(f => spec.Flag(f) is true))
        {
            faults.Add($"host namespaces ({flag}=true)");
        }
        foreach (var volume in spec.Objects("volumes").Where(v => v.Any(p => p.Key != "name" && !Volumes.Contains(p.Key))))
        {
            faults.Add($"restricted volume types (volume \"{volume.Text("name")}\")");
        }
        var pod = spec.Object("securityContext");
        foreach (var container in spec.Objects("initContainers").Concat(spec.Objects("containers")))
        {
            var own = container.Object("securityContext");
            var name = container.Text("name");
            if (own.Flag("privileged") is true)
            {
                faults.Add($"privileged (container \"{name}\" must not set securityContext.privileged=true)");
            }
            if (own.Flag("allowPrivilegeEscalation") is not false)
            {
                faults.Add($"allowPrivilegeEscalation != false (container \"{name}\" must set securityContext.allowPrivilegeEscalation=false)");
            }
            if (!own.Strings("capabilities", "drop").Contains("ALL") || own.Strings("capabilities", "add").Any(c => c != "NET_BIND_SERVICE"))
            {
                faults.Add($"unrestricted capabilities (container \"{name}\" must set securityContext.capabilities.drop=[\"ALL\"])");
            }
            if ((own.Flag("runAsNonRoot") ?? pod.Flag("runAsNonRoot")) is not true)
            {
                faults.Add($"runAsNonRoot != true (pod or container \"{name}\" must set securityContext.runAsNonRoot=true)");
            }
            if ((own.Integer("runAsUser") ?? pod.Integer("runAsUser")) == 0)
            {
                faults.Add($"runAsUser=0 (container \"{name}\" must not set runAsUser=0)");
            }
            if ((own.Text("seccompProfile", "type") ?? pod.Text("seccompProfile", "type")) is not ("RuntimeDefault" or "Localhost"))
            {
                faults.Add($"seccompProfile (pod or container \"{name}\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")");
            }
            if (container.Objects("ports").Any(p => p.Integer("hostPort") > 0))
            {
                faults.Add($"hostPort (container \"{name}\")");
            }
        }
        return faults;
    }
}
