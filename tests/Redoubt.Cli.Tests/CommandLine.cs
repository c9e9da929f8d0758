using Redoubt.Cli.Toolchain;

namespace Redoubt.Cli.Tests;

/// <summary>Runs the command line as people do, as a process of its own, with its home in a folder of the test.</summary>
internal static class CommandLine
{
    public static Task<ToolResult> RunAsync(string home, params string[] arguments) => RunAsync(home, new Dictionary<string, string>(), arguments);

    public static Task<ToolResult> RunAsync(string home, IReadOnlyDictionary<string, string> environment, params string[] arguments) => Tool.RunAsync(
        RepositoryLayout.DotnetHost,
        [Path.Combine(AppContext.BaseDirectory, "Redoubt.Cli.dll"), .. arguments],
        environment: new Dictionary<string, string>(environment) { ["REDOUBT_HOME"] = home, ["REDOUBT_ROOT"] = RepositoryLayout.Root });
}
