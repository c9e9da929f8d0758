using System.Text.Json.Nodes;

namespace Redoubt.TestCluster.Kubelet;

/// <summary>A container image laid out as a folder (images/rootfs.sh): its root file system and what a Dockerfile says beside it.</summary>
/// <param name="Root">The root file system; "/" runs on the machine's own, for tests of the kubelet itself.</param>
/// <param name="Entrypoint">Command when the pod gives none.</param>
/// <param name="Environment">Variables that the image sets.</param>
/// <param name="User">uid when the pod gives none.</param>
public sealed record Image(string Root, IReadOnlyList<string> Entrypoint, IReadOnlyDictionary<string, string> Environment, int User)
{
    /// <summary>The machine's own file system.</summary>
    public static Image Host { get; } = new("/", [], new Dictionary<string, string> { ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" }, 0);

    /// <summary>Reads a folder made by images/rootfs.sh: <c>rootfs/</c> and <c>config.json</c> (Entrypoint, Env, User).</summary>
    /// <exception cref="IOException">Not such a folder.</exception>
    public static Image Load(string folder)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json"))) ?? throw new IOException($"{folder}/config.json is empty");
        return new Image(
            Path.GetFullPath(Path.Combine(folder, "rootfs")),
            [.. config.Strings("Entrypoint")],
            (config.Object("Env") ?? []).ToDictionary(p => p.Key, p => p.Value.Text() ?? ""),
            int.Parse(config.Text("User") ?? "0"));
    }
}
