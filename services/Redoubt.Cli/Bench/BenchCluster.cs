using System.Diagnostics;
using Npgsql;
using Redoubt.Cli.Bench.Usage;
using Redoubt.Cli.Commands;
using Redoubt.Cli.Local;
using Redoubt.Cli.Toolchain;

namespace Redoubt.Cli.Bench;

/// <summary>A Redoubt cluster that lives as long as a benchmark: the same processes as <c>./redoubt up</c> starts.</summary>
internal sealed class BenchCluster : IBenchSide, IAsyncDisposable
{
    private readonly ClusterPaths _paths;
    private readonly Supervisor _supervisor;

    private BenchCluster(ClusterPaths paths, Supervisor supervisor, ClusterStatus status)
    {
        _paths = paths;
        _supervisor = supervisor;
        Status = status;
    }

    /// <summary>When it became ready.</summary>
    public ClusterStatus Status { get; }

    /// <summary>Npgsql's, to the primary.</summary>
    public string ConnectionString => LocalDatabase.ConnectionString(Status);

    /// <summary>Makes one and waits until it is ready.</summary>
    public static async Task<BenchCluster> StartAsync(BenchOptions options, CancellationToken cancellation)
    {
        var spec = new ClusterSpec
        {
            Name = $"bench-{Environment.ProcessId}", Volume = Guid.NewGuid(), Postgres = options.Postgres, Copies = options.Copies, Groups = options.Groups,
            Port = FreePorts.Take(1)[0], Parameters = options.Settings,
        };
        spec.Validate();
        var paths = ClusterPaths.Of(spec.Name, null);
        Directory.CreateDirectory(paths.Logs);
        var supervisor = await SuperviseCommand.StartAsync(spec, paths, options.Say, cancellation);
        try
        {
            return new BenchCluster(paths, supervisor, await ReadyAsync(supervisor, paths, cancellation));
        }
        catch
        {
            await supervisor.DisposeAsync();
            throw;
        }
    }

    /// <summary>The cluster as it is now.</summary>
    public Task<ClusterStatus> StatusAsync() => _supervisor.StatusAsync();

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ProcessRoot>> ProcessesAsync() =>
        [.. (await StatusAsync()).Processes.Where(p => p.Pid is not null).Select(p => new ProcessRoot(p.Pid!.Value, p.Role == "storage" ? _ => Roles.Storage : Roles.OfCompute))];

    /// <inheritdoc/>
    public async Task<SideCounters> CountersAsync(CancellationToken cancellation)
    {
        var network = (await StatusAsync()).Network!;
        return new SideCounters(MetricsText.Sum(await MetricsAsync(cancellation), "redoubt_shipment_bytes_count"), network.LogBytesSent);
    }

    /// <summary>SIGKILL for the whole tree of a process; it comes back.</summary>
    public Task KillAsync(string target) => _supervisor.DrillAsync("kill", target, 0);

    /// <summary>SIGKILL for the compute, then waits until it is back: its data folder is made anew, and every page is in storage only.</summary>
    public async Task RestartComputeAsync(CancellationToken cancellation)
    {
        await KillAsync("compute");
        await ReadyAsync(_supervisor, _paths, cancellation);
    }

    /// <summary>What the compute's start took, milliseconds by stage; waits until it has ended.</summary>
    public async Task<IReadOnlyDictionary<string, double>> StagesAsync(CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < TimeSpan.FromMinutes(2))
        {
            if ((await StatusAsync()).Processes.First(p => p.Role == "primary") is { State: "ready", StartedMs: { } stages })
            {
                return stages;
            }

            await Task.Delay(20, cancellation);
        }

        throw new CliException($"The compute was not ready within two minutes; see {_paths.Logs}.");
    }

    /// <summary>The compute's metrics: name with labels, value.</summary>
    public async Task<Dictionary<string, double>> MetricsAsync(CancellationToken cancellation)
    {
        using var http = new HttpClient();
        return MetricsText.Parse(await http.GetStringAsync(Status.Processes.First(p => p.Role == "primary").Metrics, cancellation));
    }

    /// <summary>Memory of the agent, and of the storage process that has most, in MiB: <c>VmRSS</c> (now) or <c>VmHWM</c> (most since it started).</summary>
    public async Task<(double Agent, double Storage)> MemoryAsync(string field)
    {
        var status = await StatusAsync();
        return (ProcFile.MemoryMiB(status.Processes.First(p => p.Role == "primary").Pid, field), status.Processes.Where(p => p.Role == "storage").Max(p => ProcFile.MemoryMiB(p.Pid, field)));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await _supervisor.DisposeAsync();
        Directory.Delete(_paths.Folder, recursive: true);
    }

    private static async Task<ClusterStatus> ReadyAsync(Supervisor supervisor, ClusterPaths paths, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < TimeSpan.FromMinutes(2))
        {
            var status = await supervisor.StatusAsync();
            if (status.Phase == "Ready")
            {
                return status;
            }

            if (status.Phase == "Failed")
            {
                throw new CliException($"The cluster did not start: {status.Message}");
            }

            await Task.Delay(50, cancellation);
        }

        throw new CliException($"The cluster was not ready within two minutes; see {paths.Logs}.");
    }
}
