using System.Diagnostics;
using Redoubt.Compute.Configuration;
using Redoubt.Compute.Runtime;

namespace Redoubt.Compute.Postgres;

/// <summary>Runs one of PostgreSQL's programs to its end, as PostgreSQL's user.</summary>
/// <param name="options">Where the programs are.</param>
/// <param name="account">Whom they run as.</param>
public sealed class ServerProgram(ComputeOptions options, OsAccount account)
{
    /// <summary>Runs it. Its messages are in English, so that they can be read.</summary>
    /// <param name="program">Such as <c>initdb</c>.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="input">What it reads from standard input.</param>
    /// <param name="environment">Variables beside the agent's own that are not the agent's settings.</param>
    /// <param name="cancellationToken">Kills it.</param>
    /// <returns>Exit status; standard error, then standard output.</returns>
    public async Task<(int Status, string Error, string Output)> RunAsync(
        string program, IEnumerable<string> arguments, string input, IReadOnlyDictionary<string, string> environment, CancellationToken cancellationToken)
    {
        List<string> command = [.. account.Prefix(), Path.Combine(options.PgBin, program), .. arguments];
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/",
        };
        PostgresServer.SetEnvironment(start, environment);
        start.Environment.Remove("LC_ALL");
        start.Environment["LC_MESSAGES"] = "C";
        var done = new TaskCompletionSource<(int, string, string)>(TaskCreationOptions.RunContinuationsAsynchronously);
        // The child dies with the thread that started it: one of its own, that waits for it.
        new Thread(() =>
        {
            try
            {
                done.SetResult(Run(start, input, cancellationToken));
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        })
        { Name = program, IsBackground = true }.Start();
        var result = await done.Task.ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return result;
    }

    private static (int Status, string Error, string Output) Run(ProcessStartInfo start, string input, CancellationToken cancellationToken)
    {
        using var process = Process.Start(start)!;
        using var kill = cancellationToken.Register(process.Kill);
        var error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        try
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended before it read all: its exit status and its words say why.
        }

        process.WaitForExit();
        return (process.ExitCode, error.GetAwaiter().GetResult(), output.GetAwaiter().GetResult());
    }
}
