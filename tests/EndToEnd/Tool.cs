using System.Diagnostics;
using Redoubt.TestCluster;

namespace Redoubt.EndToEnd;

/// <summary>Programs that the suite runs.</summary>
internal static class Tool
{
    private static string Folder => Path.Combine(Repository.Home, "tools");

    /// <summary>Path of kubectl.</summary>
    public static Task<string> KubectlAsync() => KubernetesTools.KubectlAsync(Folder);

    /// <summary>Path of helm.</summary>
    public static Task<string> HelmAsync() => KubernetesTools.HelmAsync(Folder);

    /// <summary>Runs to the end; the output of both streams.</summary>
    /// <exception cref="InvalidOperationException">It failed: the message holds its output.</exception>
    public static async Task<string> RunAsync(string program, IEnumerable<string> arguments, string? stdin = null, bool mayFail = false)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = stdin is not null };
        using var process = Process.Start(start)!;
        if (stdin is not null)
        {
            await process.StandardInput.WriteAsync(stdin);
            process.StandardInput.Close();
        }
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        var text = await output + await errors;
        return process.ExitCode == 0 || mayFail ? text : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} failed: {text}");
    }
}
