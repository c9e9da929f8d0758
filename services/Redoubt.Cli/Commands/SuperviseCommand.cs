using System.CommandLine;
using System.Runtime.InteropServices;
using Redoubt.Cli.Local;
using Redoubt.Cli.Toolchain;

namespace Redoubt.Cli.Commands;

/// <summary>What <c>up --detach</c> leaves behind: the supervisor as a process of its own. Not for people.</summary>
internal static class SuperviseCommand
{
    public static Command Create()
    {
        var dir = new Option<string>("--dir") { Required = true };
        var command = new Command("supervise", "Runs the supervisor of a cluster.\n\nExample: ./redoubt supervise --dir .redoubt/demo") { dir };
        command.Hidden = true;
        command.SetAction((parsed, cancellation) => RunAsync(new ClusterPaths(parsed.GetValue(dir)!), cancellation));
        return command;
    }

    /// <summary>Starts the processes of a cluster; a taken port is said and replaced by the next free one.</summary>
    public static async Task<Supervisor> StartAsync(ClusterSpec spec, ClusterPaths paths, Action<string> say, CancellationToken cancellation)
    {
        string bin = await PostgresBinaries.EnsureAsync(spec.Postgres, say, cancellation);
        string shim = await PgShim.EnsureAsync(cancellation);
        int port = FreePorts.From(spec.Port);
        if (port != spec.Port)
        {
            say($"Port {spec.Port} is in use; PostgreSQL listens on {port}.");
        }

        return await Supervisor.StartAsync(spec, paths, bin, shim, port);
    }

    private static async Task<int> RunAsync(ClusterPaths paths, CancellationToken cancellation)
    {
        var spec = ClusterSpec.Load(paths.Spec) ?? throw new CliException($"There is no cluster in {paths.Folder}.");
        // The terminal that started us may close.
        using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal => signal.Cancel = true);
        await using var supervisor = await StartAsync(spec, paths, _ => { }, cancellation);
        await using var control = new ControlServer(supervisor, paths.ControlSocket);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation, supervisor.Stopping);
        await Task.Delay(Timeout.Infinite, end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return 0;
    }
}
