using System.CommandLine;
using System.Diagnostics;
using Redoubt.Cli.Local;

namespace Redoubt.Cli.Commands;

/// <summary><c>./redoubt down</c>.</summary>
internal static class DownCommand
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(100);

    public static Command Create()
    {
        var name = ClusterOptions.Name();
        var dir = ClusterOptions.Dir();
        var destroy = new Option<bool>("--destroy") { Description = "Also delete all of its data." };
        var command = new Command("down", "Stops a cluster cleanly.\n\nExample: ./redoubt down --name demo --destroy") { name, dir, destroy };
        command.SetAction((parsed, cancellation) => RunAsync(ClusterOptions.Paths(parsed, name, dir), parsed.GetValue(destroy), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(ClusterPaths paths, bool destroy, CancellationToken cancellation)
    {
        var status = (await ControlClient.TryAskAsync(paths, new ControlRequest("status"), cancellation))?.Status;
        if (status?.SupervisorPid is { } pid)
        {
            await ControlClient.TryAskAsync(paths, new ControlRequest("down"), cancellation);
            var clock = Stopwatch.StartNew();
            while (ProcessTree.IsAlive(pid) && IsHeld(paths.Lock))
            {
                if (clock.Elapsed > Deadline)
                {
                    throw new CliException($"The supervisor (process {pid}) did not stop within {Deadline.TotalSeconds:0} s; see {paths.Logs}.");
                }

                await Task.Delay(20, cancellation);
            }
        }

        if (status?.Processes.FirstOrDefault(p => p.Role == "primary")?.Message is { } waiting && waiting.StartsWith("waiting for a quorum", StringComparison.Ordinal))
        {
            await Console.Error.WriteLineAsync($"No write quorum answered: the commits that waited for one were not acknowledged ({waiting}).");
        }

        if (destroy && Directory.Exists(paths.Folder))
        {
            if (!File.Exists(paths.Spec) && Directory.EnumerateFileSystemEntries(paths.Folder).Any())
            {
                throw new CliException($"{paths.Folder} holds no cluster.json, so it is not deleted; remove it by hand if it is yours.");
            }

            Directory.Delete(paths.Folder, recursive: true);
        }

        return 0;
    }

    private static bool IsHeld(string file)
    {
        try
        {
            using var held = new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }
}
