using System.Collections.Concurrent;
using System.Diagnostics;

namespace Redoubt.Cli.Local;

/// <summary>
/// Starts children that die with us. The kernel sends PR_SET_PDEATHSIG when the *thread* that started the child ends, so one thread
/// starts them all and lives as long as the program.
/// </summary>
internal sealed class Spawner
{
    private readonly BlockingCollection<(ProcessStartInfo Start, TaskCompletionSource<Process> Started)> _requests = [];

    public Spawner() => new Thread(Run) { IsBackground = true, Name = "spawner" }.Start();

    /// <summary>Starts a program in a session of its own, killed when this program ends in whatever way.</summary>
    public Task<Process> StartAsync(string program, IEnumerable<string> arguments, string folder, IReadOnlyDictionary<string, string> environment)
    {
        // setsid comes first: it forks when its caller leads a group, which a fresh child never does, so the pid stays the child's.
        var start = new ProcessStartInfo("setsid", ["setpriv", "--pdeathsig", "KILL", "--", program, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = folder,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        _requests.Add((start, started));
        return started.Task;
    }

    private void Run()
    {
        foreach (var (start, started) in _requests.GetConsumingEnumerable())
        {
            try
            {
                started.SetResult(Process.Start(start)!);
            }
            catch (Exception e)
            {
                started.SetException(e);
            }
        }
    }
}
