using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Redoubt.Cli.Bench;

/// <summary>A pgbench that runs now and says every second how far it is.</summary>
internal sealed class PgBenchRun : IDisposable
{
    private readonly Process _process;
    private string _lastLine = "it said nothing";

    public PgBenchRun(string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start) ?? throw new CliException($"{program} did not start.");
        _process.BeginOutputReadLine();
    }

    /// <summary>Process id.</summary>
    public int Pid => _process.Id;

    /// <summary>Its progress, as it comes, until it ends.</summary>
    /// <exception cref="CliException">It failed.</exception>
    public async IAsyncEnumerable<PgBenchProgress> ProgressAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        while (await _process.StandardError.ReadLineAsync(cancellation) is { } line)
        {
            if (PgBenchProgress.TryParse(line) is { } progress)
            {
                yield return progress;
            }
            else if (line.Length > 0)
            {
                _lastLine = line;
            }
        }

        await _process.WaitForExitAsync(cancellation);
        if (_process.ExitCode != 0)
        {
            throw new CliException($"pgbench failed: {_lastLine}");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
    }
}
