using System.Diagnostics;
using System.Globalization;
using Npgsql;
using Redoubt.Cli.Commands;
using Redoubt.Cli.Local;
using Redoubt.Cli.Toolchain;

namespace Redoubt.Cli.Bench;

/// <summary>A Redoubt cluster that lives as long as a benchmark: the same processes as <c>./redoubt up</c> starts.</summary>
internal sealed class BenchCluster : IAsyncDisposable
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
    public static async Task<BenchCluster> StartAsync(BenchOptions options, IReadOnlyDictionary<string, string> parameters, CancellationToken cancellation)
    {
        var spec = new ClusterSpec
        {
            Name = $"bench-{Environment.ProcessId}", Volume = Guid.NewGuid(), Postgres = options.Postgres, Copies = options.Copies, Groups = options.Groups,
            Port = FreePorts.Take(1)[0], Parameters = parameters,
        };
        spec.Validate();
        var paths = ClusterPaths.Of(spec.Name, null);
        Directory.CreateDirectory(paths.Logs);
        var supervisor = await SuperviseCommand.StartAsync(spec, paths, options.Say, cancellation);
        try
        {
            var clock = Stopwatch.StartNew();
            while (clock.Elapsed < TimeSpan.FromMinutes(2))
            {
                var status = await supervisor.StatusAsync();
                if (status.Phase == "Ready")
                {
                    return new BenchCluster(paths, supervisor, status);
                }

                if (status.Phase == "Failed")
                {
                    throw new CliException($"The cluster did not start: {status.Message}");
                }

                await Task.Delay(50, cancellation);
            }

            throw new CliException($"The cluster was not ready within two minutes; see {paths.Logs}.");
        }
        catch
        {
            await supervisor.DisposeAsync();
            throw;
        }
    }

    /// <summary>The cluster as it is now.</summary>
    public Task<ClusterStatus> StatusAsync() => _supervisor.StatusAsync();

    /// <summary>Stops all its processes until the result is disposed.</summary>
    public async Task<PausedProcesses> PauseAsync() => new([.. (await StatusAsync()).Processes.Select(p => p.Pid ?? 0)]);

    /// <summary>SIGKILL for the whole tree of a process; it comes back.</summary>
    public Task KillAsync(string target) => _supervisor.DrillAsync("kill", target, 0);

    /// <summary>The compute's metrics: name with labels, value.</summary>
    public async Task<Dictionary<string, double>> MetricsAsync(CancellationToken cancellation)
    {
        using var http = new HttpClient();
        string text = await http.GetStringAsync(Status.Processes.First(p => p.Role == "primary").Metrics, cancellation);
        return text.Split('\n').Where(line => line.Length > 0 && line[0] != '#').Select(line => (At: line.LastIndexOf(' '), Line: line))
            .Where(l => l.At > 0 && double.TryParse(l.Line[(l.At + 1)..], CultureInfo.InvariantCulture, out _))
            .ToDictionary(l => l.Line[..l.At], l => double.Parse(l.Line[(l.At + 1)..], CultureInfo.InvariantCulture));
    }

    /// <summary>Largest resident memory now, in MiB: the agent's, and of the storage process that has most.</summary>
    public async Task<(double Agent, double Storage)> ResidentAsync()
    {
        var status = await StatusAsync();
        return (Resident(status.Processes.First(p => p.Role == "primary").Pid), status.Processes.Where(p => p.Role == "storage").Max(p => Resident(p.Pid)));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await _supervisor.DisposeAsync();
        Directory.Delete(_paths.Folder, recursive: true);
    }

    private static double Resident(int? pid)
    {
        string? line = pid is null || !File.Exists($"/proc/{pid}/status") ? null : File.ReadLines($"/proc/{pid}/status").FirstOrDefault(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return line is null ? 0 : double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
    }
}

/// <summary>What every benchmark takes.</summary>
/// <param name="Seconds">How long each measurement lasts.</param>
/// <param name="Scale">pgbench's.</param>
/// <param name="Postgres">Major version, of both sides.</param>
/// <param name="Copies">Redoubt's.</param>
/// <param name="Groups">Redoubt's.</param>
/// <param name="LogMiB">Most log since the last checkpoint, of the recovery benchmark.</param>
/// <param name="Say">Gets a line for every step.</param>
internal sealed record BenchOptions(int Seconds, int Scale, int Postgres, int Copies, int Groups, int LogMiB, Action<string> Say);
