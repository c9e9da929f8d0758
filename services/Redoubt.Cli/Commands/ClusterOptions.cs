using System.CommandLine;
using Redoubt.Cli.Local;

namespace Redoubt.Cli.Commands;

/// <summary>Options that name a cluster, the same for every command.</summary>
internal static class ClusterOptions
{
    public static Option<string> Name() => new("--name") { Description = "Which cluster.", DefaultValueFactory = _ => "demo" };

    public static Option<string?> Dir() => new("--dir") { Description = "Its folder (default: .redoubt/NAME, or REDOUBT_HOME/NAME)." };

    public static Option<string> Output()
    {
        var option = new Option<string>("--output", "-o") { Description = "How to print.", DefaultValueFactory = _ => "table" };
        option.AcceptOnlyFromAmong("table", "json");
        return option;
    }

    public static ClusterPaths Paths(ParseResult parsed, Option<string> name, Option<string?> dir) =>
        ClusterPaths.Of(parsed.GetValue(name)!, parsed.GetValue(dir));
}
