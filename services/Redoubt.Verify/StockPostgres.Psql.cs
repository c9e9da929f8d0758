using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Redoubt.Verify;

/// <content>psql and other programs that run to their end.</content>
public sealed partial class StockPostgres
{
    /// <summary>Runs a file with psql (the server's own, else the one in the PATH) as superuser; returns its exit status and the last of what it wrote to stderr; its output is not kept.</summary>
    /// <exception cref="StockPostgresException">psql is not installed.</exception>
    public async Task<(int Status, string Errors)> PsqlAsync(string database, PsqlScript script, CancellationToken cancel)
    {
        string own = Path.Combine(BinFolder, "psql");
        var start = new ProcessStartInfo(File.Exists(own) ? own : "psql")
        {
            RedirectStandardInput = true,
            WorkingDirectory = script.WorkingFolder ?? Path.GetDirectoryName(Path.GetFullPath(script.File)) ?? Folder,
        };
        foreach (string argument in (string[])["-X", "-q", "-w", "-h", Folder, "-p", $"{Port}", "-U", "postgres", "-d", database, "-f", Path.GetFullPath(script.File)])
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (name, value) in script.Variables)
        {
            start.ArgumentList.Add("-v");
            start.ArgumentList.Add($"{name}={value}");
        }

        if (script.StopOnError)
        {
            start.ArgumentList.Add("-v");
            start.ArgumentList.Add("ON_ERROR_STOP=1");
        }

        foreach (var (name, value) in script.Environment)
        {
            start.Environment[name] = value;
        }

        return await RunAsync(start, cancel).ConfigureAwait(false);
    }

    private static async Task<(int Status, string Errors)> RunAsync(ProcessStartInfo start, CancellationToken cancel)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        Process process;
        try
        {
            process = Process.Start(start) ?? throw new StockPostgresException($"{start.FileName} could not be started.");
        }
        catch (Win32Exception)
        {
            throw new StockPostgresException($"{start.FileName} is not installed; install PostgreSQL's client programs.");
        }

        using (process)
        {
            if (start.RedirectStandardInput)
            {
                process.StandardInput.Close();
            }

            var output = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null, cancel);
            var errors = LastOfAsync(process.StandardError, cancel);
            try
            {
                await process.WaitForExitAsync(cancel).ConfigureAwait(false);
                await output.ConfigureAwait(false);
                return (process.ExitCode, await errors.ConfigureAwait(false));
            }
            finally
            {
                if (!process.HasExited)
                {
                    process.Kill(entireProcessTree: true);
                }
            }
        }
    }

    /// <summary>Reads to the end and keeps the last part: a script may complain without end.</summary>
    private static async Task<string> LastOfAsync(StreamReader reader, CancellationToken cancel)
    {
        const int kept = 16 * 1024;
        char[] buffer = new char[kept];
        var text = new StringBuilder();
        for (int read; (read = await reader.ReadAsync(buffer, cancel).ConfigureAwait(false)) > 0;)
        {
            text.Append(buffer, 0, read);
            if (text.Length > 2 * kept)
            {
                text.Remove(0, text.Length - kept);
            }
        }

        return text.ToString();
    }
}
