using System.Diagnostics;
using Redoubt.Compute.Configuration;
using Redoubt.Compute.Runtime;
using Redoubt.Wal;

namespace Redoubt.Compute.Postgres;

/// <summary>Makes a fresh cluster with PostgreSQL's own initdb, to be imported into storage.</summary>
public sealed class InitDb(ComputeOptions options, OsAccount account)
{
    /// <summary>Runs initdb in a scratch folder, which the caller deletes.</summary>
    /// <exception cref="PostgresException">initdb fails; the message has its output.</exception>
    public async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        string scratch = Path.Combine(options.DataDir, "import");
        if (Directory.Exists(scratch))
        {
            Directory.Delete(scratch, recursive: true);
        }

        Directory.CreateDirectory(scratch, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        NativeFile.ChangeOwner(scratch, account);
        string data = Path.Combine(scratch, "data");
        try
        {
            await RunOnceAsync(data, "C.UTF-8", cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.Message.Contains("locale", StringComparison.OrdinalIgnoreCase))
        {
            await RunOnceAsync(data, "C", cancellationToken).ConfigureAwait(false);
        }

        return data;
    }

    private async Task RunOnceAsync(string data, string locale, CancellationToken cancellationToken)
    {
        List<string> command =
        [
            .. account.Prefix(), Path.Combine(options.PgBin, "initdb"), "--pgdata", data, "--username=postgres", "--auth=trust", "--encoding=UTF8",
            $"--locale={locale}", "--no-sync", "--no-instructions",
        ];
        if (options.PgVersion >= PgVersion.Pg18)
        {
            command.Add("--no-data-checksums");
        }

        var start = new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/" };
        start.Environment.Remove("LD_PRELOAD");
        var done = new TaskCompletionSource<(int Status, string Output)>(TaskCreationOptions.RunContinuationsAsynchronously);
        // The child dies with the thread that started it: one of its own, that waits for it.
        new Thread(() =>
        {
            try
            {
                using var process = Process.Start(start)!;
                var error = process.StandardError.ReadToEndAsync(CancellationToken.None);
                string output = process.StandardOutput.ReadToEnd();
                process.WaitForExit();
                done.SetResult((process.ExitCode, error.GetAwaiter().GetResult() + output));
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        })
        { Name = "initdb", IsBackground = true }.Start();
        var (status, text) = await done.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        if (status != 0)
        {
            throw new PostgresException($"initdb failed with status {status}: {text.Trim()}");
        }
    }
}
