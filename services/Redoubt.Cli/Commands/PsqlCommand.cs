using System.CommandLine;
using System.Diagnostics;
using Redoubt.Cli.Local;
using Redoubt.Cli.Toolchain;

namespace Redoubt.Cli.Commands;

/// <summary><c>./redoubt psql</c>.</summary>
internal static class PsqlCommand
{
    public static Command Create()
    {
        var name = ClusterOptions.Name();
        var dir = ClusterOptions.Dir();
        var arguments = new Argument<string[]>("ARGS") { Description = "Arguments of psql, after --.", Arity = ArgumentArity.ZeroOrMore };
        var command = new Command("psql", "Opens psql on a cluster.\n\nExample: ./redoubt psql -- -c 'SELECT version()'") { name, dir, arguments };
        command.SetAction(async (parsed, cancellation) =>
        {
            var status = await ControlClient.StatusAsync(ClusterOptions.Paths(parsed, name, dir), cancellation);
            string psql = Tool.Require("psql", "apt-get install postgresql-client");
            using var process = Process.Start(new ProcessStartInfo(psql, [.. parsed.GetValue(arguments) ?? [], status.Endpoints!.Primary!]))!;
            await process.WaitForExitAsync(CancellationToken.None);
            return process.ExitCode == 0 ? 0 : CliException.Failed;
        });
        return command;
    }
}
