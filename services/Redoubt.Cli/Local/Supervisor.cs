using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Redoubt.Cli.Local;

/// <summary>
/// Keeps the processes of one local cluster alive and does to them what the drills ask. One supervisor a cluster (a lock file says so);
/// when it ends, in whatever way, its processes end too.
/// </summary>
internal sealed partial class Supervisor : IAsyncDisposable
{
    private static readonly TimeSpan ComputePatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StoragePatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan StartingPatience = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan StartingPause = TimeSpan.FromMilliseconds(30);
    private readonly ClusterSpec _spec;
    private readonly int _port;
    private readonly FileStream _lock;
    private readonly List<ManagedProcess> _processes;
    private readonly List<LogFile> _logs = [];
    private readonly StatusReader _status = new();
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(5) };
    private readonly CancellationTokenSource _stop = new();

    private Supervisor(ClusterSpec spec, ClusterPaths paths, IReadOnlyList<ManagedProcess.Definition> definitions, int port, FileStream held)
    {
        _spec = spec;
        _port = port;
        _lock = held;
        var spawner = new Spawner();
        _processes = [.. definitions.Select(definition =>
        {
            var log = new LogFile(paths.LogOf(definition.Name));
            _logs.Add(log);
            return new ManagedProcess(definition, spawner, log);
        })];
    }

    /// <summary>Ends when somebody asked the cluster to stop.</summary>
    public CancellationToken Stopping => _stop.Token;

    /// <summary>Starts everything.</summary>
    /// <exception cref="CliException">Another supervisor has this cluster.</exception>
    public static async Task<Supervisor> StartAsync(ClusterSpec spec, ClusterPaths paths, string pgBin, string shim, int port)
    {
        FileStream held;
        try
        {
            held = new FileStream(paths.Lock, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw new CliException($"Another supervisor is running the cluster in {paths.Folder}; stop it with ./redoubt down --name {spec.Name}");
        }

        var supervisor = new Supervisor(spec, paths, ClusterDefinition.Build(spec, paths, pgBin, shim, port), port, held);
        await Task.WhenAll(supervisor._processes.Select(process => process.StartAsync()));
        return supervisor;
    }

    /// <summary>How each process is started: storage in index order, then compute.</summary>
    public IReadOnlyList<ManagedProcess.Definition> Definitions => [.. _processes.Select(process => process.Is)];

    /// <summary>The cluster as it is now.</summary>
    public Task<ClusterStatus> StatusAsync() => _status.ReadAsync(_spec, _processes, _port);

    /// <summary>The cluster as far as one who waits for its start needs it: answers when it is ready or failed, or after a while.</summary>
    public async Task<ClusterStatus> StartingAsync(CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var status = await _status.ReadStartingAsync(_spec, _processes, _port);
            if (status.Phase is "Ready" or "Failed" || clock.Elapsed > StartingPatience)
            {
                return status;
            }

            await Task.Delay(StartingPause, cancellation);
        }
    }

    /// <summary>Asks the supervisor to stop everything and end.</summary>
    public void RequestStop() => _stop.Cancel();

    /// <summary>Makes the compute read its parameters file again.</summary>
    public string Reload()
    {
        foreach (var process in _processes.Where(p => p.Is.Role == "primary" && p.Pid is not null))
        {
            _ = ProcessTree.Signal(process.Pid!.Value, ProcessTree.Hangup);
        }

        return "reloaded";
    }

    /// <summary>Does a drill.</summary>
    /// <param name="kind">kill, stop, start, wipe, corrupt, partition, heal, slow or fill.</param>
    /// <param name="target">compute, storage-N, zone-a.</param>
    /// <param name="amount">Bytes to corrupt, or milliseconds to be slow by.</param>
    /// <exception cref="CliException">No such target, or the process refused.</exception>
    public async Task<string> DrillAsync(string kind, string target, long amount)
    {
        var targets = Find(target);
        switch (kind)
        {
            case "kill":
                await Task.WhenAll(targets.Select(t => Task.Run(() => t.KillAsync(stay: false, wipe: false))));
                return $"killed {Names(targets)}";
            case "stop":
                await Task.WhenAll(targets.Select(t => Task.Run(() => t.KillAsync(stay: true, wipe: false))));
                return $"stopped {Names(targets)}; ./redoubt drill start {target} brings it back";
            case "start":
                await Task.WhenAll(targets.Select(t => t.StartAsync()));
                return $"started {Names(targets)}";
            case "wipe":
                await Task.WhenAll(targets.Select(t => Task.Run(() => t.KillAsync(stay: false, wipe: true))));
                return $"wiped {Names(targets)}";
            case "corrupt":
                var victim = Only(targets, "storage", kind);
                return $"{Corruption.Flip(victim.Is.DataDir, amount)} of {victim.Is.Name}";
            case "partition" or "heal":
                // Storage keeps the switch: compute is cut off when no copy hears it.
                var switches = targets.SelectMany(t => t.Is.Role == "storage" ? [t] : _processes.Where(p => p.Is.Role == "storage")).Distinct();
                await Task.WhenAll(switches.Where(t => t.Pid is not null).Select(t => PostAsync(t, kind)));
                return $"{kind}ed {Names(targets)}";
            case "slow":
                await PostAsync(Only(targets, "storage", kind), $"slow?ms={amount}");
                return $"{Names(targets)} answers {amount} ms late";
            case "fill":
                await PostAsync(Only(targets, "storage", kind), "fill");
                return $"the disk of {Names(targets)} is full; ./redoubt drill heal {target} empties it";
            default:
                throw new CliException($"There is no drill '{kind}'.", CliException.WrongUsage);
        }
    }

    /// <summary>Stops everything, compute first: what it has acknowledged is on the quorum, and it may still write a shutdown checkpoint.</summary>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_processes.Where(p => p.Is.Role != "storage").Select(p => p.StopAsync(ComputePatience)));
        await Task.WhenAll(_processes.Where(p => p.Is.Role == "storage").Select(p => p.StopAsync(StoragePatience)));
        _status.Dispose();
        _http.Dispose();
        _logs.ForEach(log => log.Dispose());
        _lock.Dispose();
        _stop.Dispose();
    }

    private List<ManagedProcess> Find(string target)
    {
        var found = ZonePattern().Match(target) is { Success: true } zone
            ? _processes.Where(p => p.Is.Zone == zone.Groups[1].Value).ToList()
            : [.. _processes.Where(p => p.Is.Name == target)];
        return found.Count > 0 ? found
            : throw new CliException($"There is no '{target}' here; use one of {string.Join(", ", _processes.Select(p => p.Is.Name))}, zone-a, zone-b, zone-c.", CliException.WrongUsage);
    }

    private static ManagedProcess Only(List<ManagedProcess> targets, string role, string kind) =>
        targets.Count == 1 && targets[0].Is.Role == role ? targets[0]
        : throw new CliException($"drill {kind} takes one storage process, such as storage-0.", CliException.WrongUsage);

    private static string Names(List<ManagedProcess> processes) => string.Join(", ", processes.Select(p => p.Is.Name));

    private async Task PostAsync(ManagedProcess process, string drill)
    {
        try
        {
            using var answer = await _http.PostAsync($"http://{process.Is.Http}/drill/{drill}", null);
            if (!answer.IsSuccessStatusCode)
            {
                throw new CliException($"{process.Is.Name} does not know the drill '{drill}' (HTTP {(int)answer.StatusCode}).");
            }
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            throw new CliException($"{process.Is.Name} does not answer: {e.Message}");
        }
    }

    [GeneratedRegex("^zone-([a-z])$")]
    private static partial Regex ZonePattern();
}
