using System.CommandLine;
using System.Diagnostics;
using Redoubt.Cli.Local;
using Redoubt.Cli.Toolchain;
using Spectre.Console;

namespace Redoubt.Cli.Commands;

/// <summary><c>./redoubt up</c>.</summary>
internal static class UpCommand
{
    private static readonly TimeSpan DegradedPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan JudgementPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ReadyDeadline = TimeSpan.FromMinutes(3);

    public static Command Create()
    {
        var name = new Option<string?>("--name") { Description = "Which cluster (default: demo, or the manifest's)." };
        var dir = ClusterOptions.Dir();
        var postgres = new Option<int?>("--postgres") { Description = "Major version of PostgreSQL, 17 or 18 (default: 17)." };
        var copies = new Option<int?>("--copies") { Description = "Copies of everything: 6, 3 or 1 (default: 6)." };
        var groups = new Option<int?>("--groups") { Description = "Protection groups that pages are striped over (default: 1)." };
        var port = new Option<int?>("--port") { Description = "Where PostgreSQL listens; the next free port when it is in use (default: 5432)." };
        var manifest = new Option<string?>("--file", "-f") { Description = "A DatabaseCluster manifest, as for kubectl apply." };
        var detach = new Option<bool>("--detach") { Description = "Leave the cluster running in the background." };
        var command = new Command("up", "Starts a cluster, made when it does not exist.\n\nExample: ./redoubt up --copies 3 --port 5433 --detach")
        {
            name, dir, postgres, copies, groups, port, manifest, detach,
        };
        command.SetAction((parsed, cancellation) =>
        {
            var asked = parsed.GetValue(manifest) is { } file ? ManifestReader.Read(file) : null;
            string cluster = parsed.GetValue(name) ?? asked?.Name ?? "demo";
            var wanted = new Wanted(
                parsed.GetValue(postgres) ?? asked?.Postgres, parsed.GetValue(copies) ?? asked?.Copies, parsed.GetValue(groups) ?? asked?.Groups, parsed.GetValue(port), asked);
            return RunAsync(cluster, ClusterPaths.Of(cluster, parsed.GetValue(dir)), wanted, parsed.GetValue(detach), cancellation);
        });
        return command;
    }

    private sealed record Wanted(int? Postgres, int? Copies, int? Groups, int? Port, ManifestReader.Manifest? Manifest);

    private static async Task<int> RunAsync(string name, ClusterPaths paths, Wanted wanted, bool detach, CancellationToken cancellation)
    {
        var existing = ClusterSpec.Load(paths.Spec);
        var spec = Settle(name, existing, wanted);
        if (await ControlClient.TryAskAsync(paths, new ControlRequest("status"), cancellation) is { Status: { } running })
        {
            Console.WriteLine($"{name} is running already.");
            if (!spec.Parameters.OrderBy(p => p.Key).SequenceEqual(existing!.Parameters.OrderBy(p => p.Key)))
            {
                (existing with { Parameters = spec.Parameters }).Save(paths.Spec);
                string hash = ClusterDefinition.WriteParameters(paths, spec.Parameters);
                await ControlClient.AskAsync(paths, new ControlRequest("reload"), cancellation);
                running = await WaitUntilJudgedAsync(paths, hash, cancellation);
                if (Refused(running) == 0)
                {
                    Console.WriteLine("Its parameters are reloaded; those that need a restart take effect with ./redoubt drill kill compute, or down and up.");
                }
            }

            return Print(running);
        }

        await PrepareAsync(spec, paths, cancellation);
        spec.Save(paths.Spec);
        return detach ? await DetachAsync(paths, cancellation) : await FollowAsync(spec, paths, cancellation);
    }

    /// <summary>The cluster as it shall be: what is on disk, changed by what may change.</summary>
    private static ClusterSpec Settle(string name, ClusterSpec? existing, Wanted wanted)
    {
        void Refuse(string what, int? asked, int has)
        {
            if (asked is { } value && value != has)
            {
                throw new CliException(
                    $"{name} has {what} {has}, which cannot change to {value}; leave the option out, or make another cluster with --name.", CliException.WrongUsage);
            }
        }

        if (existing is not null)
        {
            Refuse("--copies", wanted.Copies, existing.Copies);
            Refuse("--groups", wanted.Groups, existing.Groups);
            Refuse("--postgres", wanted.Postgres, existing.Postgres);
        }

        var spec = existing ?? new ClusterSpec
        {
            Name = name,
            Volume = Guid.NewGuid(),
            Postgres = wanted.Postgres ?? 17,
            Copies = wanted.Copies ?? 6,
            Groups = wanted.Groups ?? 1,
            AppDatabase = wanted.Manifest?.Database,
            AppUser = wanted.Manifest?.Owner,
        };
        spec = spec with { Port = wanted.Port ?? spec.Port, Parameters = wanted.Manifest?.Parameters ?? spec.Parameters };
        spec.Validate();
        return spec;
    }

    private static async Task PrepareAsync(ClusterSpec spec, ClusterPaths paths, CancellationToken cancellation)
    {
        _ = Tool.Require("setsid", "apt-get install util-linux");
        _ = Tool.Require("setpriv", "apt-get install util-linux");
        try
        {
            Directory.CreateDirectory(paths.Folder);
            Directory.CreateDirectory(paths.Logs);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"The folder {paths.Folder} cannot be made ({e.Message.TrimEnd('.')}); choose another one with --dir.");
        }

        string bin = await PostgresBinaries.EnsureAsync(spec.Postgres, Console.WriteLine, cancellation);
        string shim = await PgShim.EnsureAsync(cancellation);
        if (OsUser.ForPostgres is { } user)
        {
            foreach (string folder in new[] { paths.Folder, bin, Path.GetDirectoryName(shim)! })
            {
                if (!await OsUser.CanEnterAsync(user, folder, cancellation))
                {
                    throw new CliException($"PostgreSQL runs as {user}, who cannot enter {folder}; choose a folder that every user can enter with --dir, or set REDOUBT_HOME to one.");
                }
            }
        }

        _ = RepositoryLayout.ServiceDll("Redoubt.Storage");
        _ = RepositoryLayout.ServiceDll("Redoubt.Compute");
    }

    private static async Task<int> DetachAsync(ClusterPaths paths, CancellationToken cancellation)
    {
        // The shell lets go of the supervisor: a session of its own, no terminal, output into its log.
        string log = paths.LogOf("supervisor");
        var start = new ProcessStartInfo(
            "/bin/sh",
            [
                "-c", "log=$1; shift; setsid \"$@\" </dev/null >>\"$log\" 2>&1 &", "sh", log, RepositoryLayout.DotnetHost,
                Path.Combine(AppContext.BaseDirectory, "Redoubt.Cli.dll"), "supervise", "--dir", paths.Folder,
            ]);
        start.Environment["REDOUBT_ROOT"] = RepositoryLayout.Root;
        start.Environment["REDOUBT_HOME"] = RepositoryLayout.Home;
        long before = File.Exists(log) ? new FileInfo(log).Length : 0;
        using (var shell = Process.Start(start)!)
        {
            await shell.WaitForExitAsync(cancellation);
        }

        var status = await WaitUntilReadyAsync(
            async () => (await ControlClient.TryAskAsync(paths, new ControlRequest("starting"), cancellation))?.Status,
            () => File.Exists(log) && ReadFrom(log, before) is { Length: > 0 } said ? said : null,
            paths,
            cancellation);
        return Print(status);
    }

    private static async Task<int> FollowAsync(ClusterSpec spec, ClusterPaths paths, CancellationToken cancellation)
    {
        await using var supervisor = await SuperviseCommand.StartAsync(spec, paths, Console.WriteLine, cancellation);
        await using var control = new ControlServer(supervisor, paths.ControlSocket);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation, supervisor.Stopping);
        bool wasReady = false;
        try
        {
            _ = Print(await WaitUntilReadyAsync(async () => await supervisor.StartingAsync(end.Token), () => null, paths, end.Token));
            wasReady = true;
            Console.WriteLine("Ctrl-C stops it.");
            await StatusCommand.FollowAsync(() => supervisor.StatusAsync(), end.Token);
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            Console.WriteLine("stopping");
        }

        return wasReady ? 0 : CliException.Failed;
    }

    private static async Task<ClusterStatus> WaitUntilReadyAsync(Func<Task<ClusterStatus?>> read, Func<string?> complaint, ClusterPaths paths, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        string? said = null;
        while (clock.Elapsed < ReadyDeadline)
        {
            var status = await read();
            // All copies, or after a while those that there are.
            if (status is { Phase: "Ready" } || (status is { Phase: "Degraded" } && clock.Elapsed > DegradedPatience))
            {
                return status;
            }

            if (status is { Phase: "Failed" })
            {
                throw new CliException($"The cluster did not start: {status.Message}");
            }

            if (status is null && complaint() is { } words)
            {
                throw new CliException(words);
            }

            if (status?.Message is { } message && message != said && clock.Elapsed > TimeSpan.FromSeconds(1))
            {
                Console.WriteLine($"  {said = message}");
            }

            if (status is null)
            {
                await Task.Delay(20, cancellation);
            }
        }

        throw new CliException($"The cluster was not ready within {ReadyDeadline.TotalMinutes:0} minutes; see {paths.Logs}.");
    }

    private static string ReadFrom(string file, long offset)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        stream.Seek(Math.Min(offset, stream.Length), SeekOrigin.Begin);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Trim();
    }

    /// <summary>Waits until compute has read the parameters file; not longer than it takes when it is not there.</summary>
    private static async Task<ClusterStatus> WaitUntilJudgedAsync(ClusterPaths paths, string hash, CancellationToken cancellation)
    {
        for (var clock = Stopwatch.StartNew(); ;)
        {
            var status = await ControlClient.StatusAsync(paths, cancellation);
            if (status.Processes.Any(p => p.ParametersHash == hash))
            {
                return status;
            }

            if (clock.Elapsed > JudgementPatience)
            {
                throw new CliException($"The parameters are written, but compute has not read them within {JudgementPatience.TotalSeconds:0} s ({status.Message ?? status.Phase}); see ./redoubt status.");
            }

            await Task.Delay(50, cancellation);
        }
    }

    private static int Refused(ClusterStatus status) => status.Processes.Sum(p => p.ParametersRejected?.Count ?? 0);

    /// <summary>Says how it is, and what of the manifest is not in force: then the exit status is 1.</summary>
    private static int Print(ClusterStatus status)
    {
        AnsiConsole.MarkupLineInterpolated($"[green]{status.Name} is {status.Phase.ToLowerInvariant()}[/]: PostgreSQL {status.Postgres}, {status.Copies} copies, epoch {status.Epoch}");
        Console.WriteLine(status.Endpoints?.Primary);
        foreach (var parameter in status.Processes.SelectMany(p => p.ParametersRejected ?? []))
        {
            Console.Error.WriteLine($"Not in force: {parameter}");
        }

        if (Refused(status) == 0)
        {
            return 0;
        }

        Console.Error.WriteLine("PostgreSQL goes on with the parameters it had; put the manifest right and run ./redoubt up -f again.");
        return CliException.Failed;
    }
}
