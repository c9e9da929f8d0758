using System.Diagnostics;

namespace Redoubt.Cli.Toolchain;

/// <summary>Other programs: finding them and running them to their end.</summary>
public static class Tool
{
    /// <summary>Full path of a program on PATH; null when there is none.</summary>
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);

    /// <summary>Full path of a program on PATH.</summary>
    /// <param name="name">The program.</param>
    /// <param name="advice">What to install when it is missing, such as <c>apt-get install gcc</c>.</param>
    /// <exception cref="CliException">It is missing.</exception>
    public static string Require(string name, string advice) =>
        Find(name) ?? throw new CliException($"{name} is not installed; install it: {advice}");

    /// <summary>Runs a program to its end; what it printed comes back together.</summary>
    public static async Task<ToolResult> RunAsync(
        string program, IEnumerable<string> arguments, string? folder = null, IReadOnlyDictionary<string, string>? environment = null, CancellationToken cancellation = default)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = folder ?? "",
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start) ?? throw new CliException($"{program} did not start.");
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(cancellation);
        var error = process.StandardError.ReadToEndAsync(cancellation);
        try
        {
            await process.WaitForExitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return new ToolResult(process.ExitCode, await output, await error);
    }
}

/// <summary>How a program ended.</summary>
/// <param name="ExitCode">Its exit status.</param>
/// <param name="Output">All of stdout.</param>
/// <param name="Error">All of stderr.</param>
public readonly record struct ToolResult(int ExitCode, string Output, string Error)
{
    /// <summary>The last line it said, for error messages.</summary>
    public string LastLine => (Error + "\n" + Output).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).FirstOrDefault() ?? "";
}
