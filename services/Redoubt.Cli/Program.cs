using System.CommandLine;
using Redoubt.Cli;
using Redoubt.Cli.Commands;
using Redoubt.Cli.Local;
using Spectre.Console;

// ./redoubt: the command line of a local cluster, its drills, benchmarks and checks. See docs for the contract of each command.
var root = new RootCommand("Stock PostgreSQL over a log-only, quorum-replicated storage service.\n\nExample: ./redoubt up")
{
    UpCommand.Create(),
    DownCommand.Create(),
    StatusCommand.Create(),
    PsqlCommand.Create(),
    DrillCommand.Create(),
    TestCommand.Create(),
    new Command("verify", "Checks that what is stored is right.\n\nExample: ./redoubt verify cluster")
    {
        VerifyClusterCommand.Create(),
        VerifyRedoCommand.Create(),
    },
    BenchCommand.Create(),
    SuperviseCommand.Create(),
};

if (Console.IsOutputRedirected)
{
    // Eighty columns are a guess when nobody looks; tables then stay in one piece.
    AnsiConsole.Profile.Width = 160;
}

var parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    // A word that fits nowhere says more than what is missing because of it.
    var error = parsed.Errors.FirstOrDefault(e => parsed.UnmatchedTokens.Any(token => e.Message.Contains(token, StringComparison.Ordinal))) ?? parsed.Errors[0];

    // "Cannot parse argument 'x' for option '--port' as expected type 'System.Nullable`1[System.Int32]'": the type is ours, not the caller's.
    string message = error.Message.Split(" as expected type ")[0].TrimEnd('.') + '.';
    string[] words = [.. message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries), "See", "./redoubt", .. WordsOf(parsed.CommandResult.Command), "--help"];
    await Console.Error.WriteLineAsync(string.Join(' ', words));
    return CliException.WrongUsage;
}

try
{
    return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromMinutes(2) });
}
catch (CliException e)
{
    await Console.Error.WriteLineAsync(e.Message);
    return e.ExitCode;
}
catch (OperationCanceledException)
{
    return CliException.Failed;
}
catch (IOException e)
{
    await Console.Error.WriteLineAsync(e.Message);
    return CliException.Failed;
}
catch (UnauthorizedAccessException e)
{
    await Console.Error.WriteLineAsync($"{e.Message} Run as the user who made the cluster.");
    return CliException.Failed;
}

static IEnumerable<string> WordsOf(Command command)
{
    var names = new List<string>();
    for (var at = command; at is not null and not RootCommand; at = at.Parents.OfType<Command>().FirstOrDefault())
    {
        names.Insert(0, at.Name);
    }

    return names;
}
