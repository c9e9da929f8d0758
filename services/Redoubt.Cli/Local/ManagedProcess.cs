using System.Diagnostics;

namespace Redoubt.Cli.Local;

/// <summary>What the supervisor knows of one process of the cluster.</summary>
internal sealed class ManagedProcess(ManagedProcess.Definition definition, Spawner spawner, LogFile log)
{
    private const int ExitConfiguration = 2;
    private const int ExitFenced = 3;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Healthy = TimeSpan.FromSeconds(20);
    private readonly SemaphoreSlim _gate = new(1);
    private TimeSpan _pause = FirstPause;
    private CancellationTokenSource _wanted = new();
    private Process? _process;
    private Task _running = Task.CompletedTask;

    /// <summary>How a process is started and reached.</summary>
    /// <param name="Name">Such as <c>storage-0</c>.</param>
    /// <param name="Role"><c>primary</c> or <c>storage</c>.</param>
    /// <param name="Zone">Of storage; else null.</param>
    /// <param name="DataDir">Its folder.</param>
    /// <param name="Http"><c>host:port</c> of /metrics and /status.</param>
    /// <param name="Endpoint">gRPC address of storage; else null.</param>
    /// <param name="Program">What to run.</param>
    /// <param name="Arguments">Its arguments.</param>
    /// <param name="Environment">Its configuration.</param>
    internal sealed record Definition(
        string Name, string Role, string? Zone, string DataDir, string Http, string? Endpoint, string Program, IReadOnlyList<string> Arguments,
        IReadOnlyDictionary<string, string> Environment);

    public Definition Is { get; } = definition;

    /// <summary>Process id, null while it is not running.</summary>
    public int? Pid => _process is { } process && !HasExited(process) ? process.Id : null;

    /// <summary>Starts after the first one.</summary>
    public int Restarts { get; private set; }

    /// <summary><c>stopped</c> (by request), <c>running</c>, <c>waiting</c> (dead, starts again soon), <c>failed</c>, <c>fenced</c> (both until started by hand).</summary>
    public string State { get; private set; } = "stopped";

    /// <summary>Begins to keep the process alive.</summary>
    public async Task StartAsync()
    {
        await _gate.WaitAsync();
        try
        {
            if (State is "running" or "waiting")
            {
                return;
            }

            await _running;
            _wanted = new CancellationTokenSource();
            _pause = FirstPause;
            await LaunchAsync();
            _running = KeepAsync(_wanted.Token);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Ends the process for good: SIGTERM, and SIGKILL for the whole tree after <paramref name="patience"/>.</summary>
    public async Task StopAsync(TimeSpan patience)
    {
        await _gate.WaitAsync();
        try
        {
            await _wanted.CancelAsync();
            if (_process is { } process && !HasExited(process))
            {
                _ = ProcessTree.Signal(process.Id, ProcessTree.Terminate);
                try
                {
                    await process.WaitForExitAsync().WaitAsync(patience);
                }
                catch (TimeoutException)
                {
                    log.Note($"did not stop within {patience.TotalSeconds:0} s; killed");
                    ProcessTree.Kill(process.Id);
                }
            }

            await _running;
            CleanUp();
            State = "stopped";
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>SIGKILL for the whole tree. It comes back unless <paramref name="stay"/>.</summary>
    /// <param name="stay">Keep it down until it is started.</param>
    /// <param name="wipe">Delete its folder's contents before anything starts again.</param>
    public async Task KillAsync(bool stay, bool wipe)
    {
        await _gate.WaitAsync();
        try
        {
            bool wanted = State is "running" or "waiting";
            await _wanted.CancelAsync();
            if (_process is { } process && !HasExited(process))
            {
                ProcessTree.Kill(process.Id);
            }

            await _running;
            CleanUp();
            State = "stopped";
            if (wipe)
            {
                Directory.Delete(Is.DataDir, recursive: true);
                Directory.CreateDirectory(Is.DataDir);
                log.Note("wiped");
            }

            if (wanted && !stay)
            {
                Restarts++;
                _wanted = new CancellationTokenSource();
                await LaunchAsync();
                _running = KeepAsync(_wanted.Token);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task LaunchAsync()
    {
        Directory.CreateDirectory(Is.DataDir);
        CleanUp();
        _process = await spawner.StartAsync(Is.Program, Is.Arguments, "/", Is.Environment);
        _process.StandardInput.Close();
        _ = log.CopyAsync(_process.StandardOutput.BaseStream);
        _ = log.CopyAsync(_process.StandardError.BaseStream);
        log.Note($"started, pid {_process.Id}");
        State = "running";
    }

    /// <summary>Starts the process again whenever it ends unasked.</summary>
    private async Task KeepAsync(CancellationToken wanted)
    {
        while (true)
        {
            long started = Stopwatch.GetTimestamp();
            await _process!.WaitForExitAsync(CancellationToken.None);
            int status = _process.ExitCode;
            if (wanted.IsCancellationRequested)
            {
                return;
            }

            log.Note($"ended with status {status}");
            if (status is ExitConfiguration or ExitFenced)
            {
                State = status == ExitFenced ? "fenced" : "failed";
                return;
            }

            State = "waiting";
            _pause = Stopwatch.GetElapsedTime(started) > Healthy ? FirstPause : _pause;
            try
            {
                await Task.Delay(_pause, wanted);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
            Restarts++;
            await LaunchAsync();
        }
    }

    /// <summary>PostgreSQL's own processes live in sessions of their own and may outlive an agent that was killed.</summary>
    private void CleanUp() => ProcessTree.KillPostgresIn(Is.DataDir);

    private static bool HasExited(Process process)
    {
        try
        {
            return process.HasExited;
        }
        catch (InvalidOperationException)
        {
            return true;
        }
    }
}
