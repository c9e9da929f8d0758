using System.Diagnostics;
using Redoubt.Compute.Configuration;
using Redoubt.Compute.Runtime;

namespace Redoubt.Compute.Postgres;

/// <summary>One run of the postmaster. It is started by, and dies with, a thread that does nothing but wait for it.</summary>
public sealed class PostgresServer
{
    private readonly TaskCompletionSource<int> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<int> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private PostgresServer()
    {
    }

    /// <summary>The postmaster.</summary>
    public int Pid { get; private set; }

    /// <summary>Completes with its exit status.</summary>
    public Task<int> Exited => _exited.Task;

    /// <summary>What it writes to standard error.</summary>
    public ServerOutput Output { get; } = new();

    /// <summary>Starts postgres on a data directory.</summary>
    /// <param name="options">Settings.</param>
    /// <param name="account">Whom it runs as.</param>
    /// <param name="environment">Variables for it, such as those of the shim.</param>
    public static async Task<PostgresServer> StartAsync(
        ComputeOptions options, OsAccount account, IReadOnlyDictionary<string, string> environment)
    {
        // setsid: a process group of its own, so that a terminal's Ctrl-C goes to the agent alone, which then stops it in order.
        List<string> command = ["setsid", .. account.Prefix(), Path.Combine(options.PgBin, "postgres"), "-D", options.PgData];
        var start = new ProcessStartInfo(command[0], command.Skip(1)) { WorkingDirectory = options.PgData, UseShellExecute = false, RedirectStandardError = true };
        SetEnvironment(start, environment);
        var server = new PostgresServer();
        new Thread(() => server.Run(start)) { Name = "postgres", IsBackground = true }.Start();
        server.Pid = await server._started.Task.ConfigureAwait(false);
        return server;
    }

    /// <summary>Gives PostgreSQL the agent's environment without the agent's settings, and these variables.</summary>
    internal static void SetEnvironment(ProcessStartInfo start, IReadOnlyDictionary<string, string> environment)
    {
        start.Environment.Remove("LD_PRELOAD");
        foreach (string name in start.Environment.Keys.Where(k => k.StartsWith("REDOUBT_", StringComparison.Ordinal) || k.StartsWith("DOTNET", StringComparison.Ordinal)).ToArray())
        {
            start.Environment.Remove(name);
        }

        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }
    }

    /// <summary>Fast shutdown: ends sessions, writes a checkpoint, whose flush waits for the quorum.</summary>
    public void StopFast() => NativeFile.Signal(Pid, NativeFile.SigInt);

    /// <summary>Makes it read its configuration again.</summary>
    public void Reload() => NativeFile.Signal(Pid, NativeFile.SigHup);

    /// <summary>Kills it and all its children at once.</summary>
    public void Kill()
    {
        if (!_exited.Task.IsCompleted)
        {
            ProcessTree.KillServer(Pid);
        }
    }

    private void Run(ProcessStartInfo start)
    {
        try
        {
            using var process = Process.Start(start)!;
            _started.SetResult(process.Id);
            Output.Follow(process.StandardError.BaseStream);
            process.WaitForExit();
            Output.WaitForEnd();
            _exited.SetResult(process.ExitCode);
        }
        catch (Exception e)
        {
            _started.TrySetException(e);
            _exited.TrySetResult(-1);
        }
    }
}
