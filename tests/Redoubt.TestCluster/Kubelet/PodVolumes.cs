using System.Text;
using System.Text.Json.Nodes;
using Redoubt.TestCluster.Api;
using Redoubt.TestCluster.Controllers;

namespace Redoubt.TestCluster.Kubelet;

/// <summary>Realises a pod's volumes as folders on the host; those of Secrets and ConfigMaps follow their objects, switched by one symlink.</summary>
internal sealed class PodVolumes(Registry registry, VolumeBinder binder, string folder, string podIp, Func<string> token, string certificate)
{
    private const string AccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";
    private readonly Dictionary<string, string> _written = [];

    private string FolderOf(string volume) => Path.Combine(folder, "volumes", volume);

    /// <summary>Makes or renews every volume.</summary>
    /// <exception cref="SetupException">An object that a volume needs is missing.</exception>
    public void Prepare(JsonObject pod)
    {
        lock (_written)
        {
            PrepareLocked(pod);
        }
    }

    private void PrepareLocked(JsonObject pod)
    {
        foreach (var volume in pod.Objects("spec", "volumes"))
        {
            var name = volume.Text("name")!;
            if (volume.Object("secret") is { } secret)
            {
                Project(pod, name, Files(pod, BuiltInTypes.Secrets, secret.Text("secretName"), secret), Mode(secret));
            }
            else if (volume.Object("configMap") is { } map)
            {
                Project(pod, name, Files(pod, BuiltInTypes.ConfigMaps, map.Text("name"), map), Mode(map));
            }
            else if (volume.Object("downwardAPI") is { } downward)
            {
                Project(pod, name, Downward(pod, downward), Mode(downward));
            }
            else if (volume.Object("projected") is { } projected)
            {
                Project(pod, name, projected.Objects("sources").SelectMany(s => Source(pod, s)), Mode(projected));
            }
            else if (volume.Object("emptyDir") is not null)
            {
                if (!Directory.Exists(FolderOf(name)))
                {
                    Directory.CreateDirectory(FolderOf(name));
                    Own(pod, FolderOf(name), "0777");
                }
            }
            else if (volume.Text("persistentVolumeClaim", "claimName") is { } claimName)
            {
                var claim = registry.TryGet(BuiltInTypes.Claims, pod.Namespace(), claimName);
                if (claim.Text("spec", "volumeName") is not { } bound)
                {
                    throw new SetupException("FailedMount", $"Unable to attach or mount volumes: claim \"{claimName}\" is not bound");
                }
                Own(pod, binder.FolderOf(bound), "2775");
            }
            else
            {
                throw new SetupException("FailedMount", $"volume {name}: this kind of volume is not supported by the test kubelet");
            }
        }
        if (MountsToken(pod))
        {
            Project(pod, "kube-api-access", [("token", Encoding.UTF8.GetBytes(_token ??= token())), ("ca.crt", Encoding.UTF8.GetBytes(certificate)), ("namespace", Encoding.UTF8.GetBytes(pod.Namespace()))], "0644");
        }
    }

    private string? _token;

    private bool MountsToken(JsonObject pod) => (pod.Flag("spec", "automountServiceAccountToken") ??
        registry.TryGet(BuiltInTypes.ServiceAccounts, pod.Namespace(), pod.Text("spec", "serviceAccountName") ?? "default").Flag("automountServiceAccountToken")) is not false;

    public List<ContainerProcess.BindMount> Mounts(JsonObject pod, JsonObject container)
    {
        var result = new List<ContainerProcess.BindMount>();
        foreach (var mount in container.Objects("volumeMounts"))
        {
            var volume = pod.Objects("spec", "volumes").First(v => v.Text("name") == mount.Text("name"));
            var source = volume.Text("persistentVolumeClaim", "claimName") is { } claim
                ? binder.FolderOf(registry.Get(BuiltInTypes.Claims, pod.Namespace(), claim).Text("spec", "volumeName")!)
                : FolderOf(mount.Text("name")!);
            if (mount.Text("subPath") is { Length: > 0 } sub)
            {
                source = Path.Combine(source, sub);
            }
            var written = volume.Any(p => p.Key is "secret" or "configMap" or "projected" or "downwardAPI");
            result.Add(new ContainerProcess.BindMount(source, mount.Text("mountPath")!, written || mount.Flag("readOnly") is true));
        }
        if (MountsToken(pod) && result.All(m => m.Target != AccountFolder))
        {
            result.Add(new ContainerProcess.BindMount(FolderOf("kube-api-access"), AccountFolder, true));
        }
        return result;
    }

    private static string Mode(JsonObject source) => "0" + Convert.ToString((int)(source.Integer("defaultMode") ?? 420), 8);

    private IEnumerable<(string Path, byte[] Data)> Source(JsonObject pod, JsonObject source)
    {
        if (source.Object("secret") is { } secret)
        {
            return Files(pod, BuiltInTypes.Secrets, secret.Text("name"), secret);
        }
        if (source.Object("configMap") is { } map)
        {
            return Files(pod, BuiltInTypes.ConfigMaps, map.Text("name"), map);
        }
        return source.Object("downwardAPI") is { } downward
            ? Downward(pod, downward)
            : [(source.Text("serviceAccountToken", "path") ?? "token", Encoding.UTF8.GetBytes(_token ??= token()))];
    }

    private IEnumerable<(string Path, byte[] Data)> Downward(JsonObject pod, JsonObject source) =>
        source.Objects("items").Select(i => (i.Text("path")!, Encoding.UTF8.GetBytes(ContainerSetup.Field(pod, i.Text("fieldRef", "fieldPath") ?? "", podIp))));

    private IEnumerable<(string Path, byte[] Data)> Files(JsonObject pod, ResourceType type, string? name, JsonObject source)
    {
        var value = registry.TryGet(type, pod.Namespace(), name ?? "");
        if (value is null)
        {
            return source.Flag("optional") is true ? [] : throw new SetupException("FailedMount", $"MountVolume.SetUp failed: {type.Singular} \"{name}\" not found");
        }
        var all = (value.Object("data") ?? []).ToDictionary(p => p.Key,
            p => type == BuiltInTypes.Secrets ? Convert.FromBase64String(p.Value.Text() ?? "") : Encoding.UTF8.GetBytes(p.Value.Text() ?? ""));
        if (source.Objects("items").ToList() is not { Count: > 0 } items)
        {
            return all.Select(p => (p.Key, p.Value));
        }
        return items.Where(i => all.ContainsKey(i.Text("key")!) || (source.Flag("optional") is not true
            ? throw new SetupException("FailedMount", $"MountVolume.SetUp failed: references non-existent {type.Singular} key: {i.Text("key")}") : false))
            .Select(i => (i.Text("path")!, all[i.Text("key")!]));
    }

    /// <summary>Writes files into a new folder and points <c>..data</c> to it, as the real kubelet's atomic writer does.</summary>
    private void Project(JsonObject pod, string volume, IEnumerable<(string Path, byte[] Data)> content, string mode)
    {
        var files = content.ToList();
        var print = string.Join('\n', files.Select(f => $"{f.Path}={Convert.ToBase64String(f.Data)}"));
        if (_written.GetValueOrDefault(volume) == print)
        {
            return;
        }
        var root = FolderOf(volume);
        var fresh = $"..{DateTime.UtcNow:yyyy_MM_dd_HH_mm_ss}.{Random.Shared.Next():x8}";
        Directory.CreateDirectory(Path.Combine(root, fresh));
        foreach (var (path, data) in files)
        {
            var file = Path.Combine(root, fresh, path);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllBytes(file, data);
            Posix.Chown(file, 0, ContainerSetup.FsGroup(pod) ?? 0);
            File.SetUnixFileMode(file, (UnixFileMode)Convert.ToInt32(mode, 8));
            var visible = Path.Combine(root, path.Split('/')[0]);
            if (!Path.Exists(visible) && new FileInfo(visible).LinkTarget is null)
            {
                File.CreateSymbolicLink(visible, Path.Combine("..data", path.Split('/')[0]));
            }
        }
        var link = Path.Combine(root, "..data_tmp");
        File.Delete(link);
        File.CreateSymbolicLink(link, fresh);
        var old = new FileInfo(Path.Combine(root, "..data")).LinkTarget;
        Posix.Rename(link, Path.Combine(root, "..data"));
        if (old is not null)
        {
            Directory.Delete(Path.Combine(root, old), true);
        }
        _written[volume] = print;
    }

    private static void Own(JsonObject pod, string path, string mode)
    {
        if (ContainerSetup.FsGroup(pod) is { } group)
        {
            Posix.Chown(path, 0, group);
        }
        File.SetUnixFileMode(path, (UnixFileMode)Convert.ToInt32(mode, 8));
    }
}
