using System.CommandLine;
using System.Text.Json;
using Redoubt.Cli.Local;
using Redoubt.Cli.Verify;

namespace Redoubt.Cli.Commands;

/// <summary><c>./redoubt verify cluster</c>.</summary>
internal static class VerifyClusterCommand
{
    public static Command Create()
    {
        var name = ClusterOptions.Name();
        var dir = ClusterOptions.Dir();
        var output = ClusterOptions.Output();
        var command = new Command(
            "cluster", "Compares all copies at one LSN, storage with PostgreSQL's own disk, and runs amcheck on everything.\n\nExample: ./redoubt verify cluster -o json")
        {
            name, dir, output,
        };
        command.SetAction((parsed, cancellation) => RunAsync(ClusterOptions.Paths(parsed, name, dir), parsed.GetValue(output) == "json", cancellation));
        return command;
    }

    private static async Task<int> RunAsync(ClusterPaths paths, bool json, CancellationToken cancellation)
    {
        var status = await ControlClient.StatusAsync(paths, cancellation);
        if (status.Phase is not ("Ready" or "Degraded"))
        {
            throw new CliException($"{status.Name} is {status.Phase} ({status.Message}); it can be verified when it serves.");
        }

        var spec = ClusterSpec.Load(paths.Spec)!;
        using var verifier = new ClusterVerifier(status, spec, (await File.ReadAllTextAsync(paths.Secret, cancellation)).Trim(), line =>
        {
            if (!json)
            {
                Console.WriteLine(line);
            }
        });
        await verifier.RunAsync(cancellation);
        if (json)
        {
            var result = new { verifier.PagesCompared, verifier.Mismatches, verifier.AmcheckErrors, Lsn = verifier.At.ToString() };
            Console.WriteLine(JsonSerializer.Serialize(result, ClusterSpec.Json));
        }
        else
        {
            Console.WriteLine($"{verifier.PagesCompared} pages compared at {verifier.At}, {verifier.Mismatches} mismatches, {verifier.AmcheckErrors} amcheck errors");
        }

        return verifier.Mismatches == 0 && verifier.AmcheckErrors == 0 ? 0 : CliException.Failed;
    }
}
