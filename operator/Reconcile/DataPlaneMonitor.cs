using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json;
using k8s.Models;
using Redoubt.Operator.Planning;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Reconcile;

/// <summary>
/// Asks the processes in the pods for their status over HTTP (traffic to pods, none to the API server) and tells when an
/// answer differs in something that the planner acts on.
/// </summary>
public sealed class DataPlaneMonitor(HttpClient http, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Busy = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(3);

    /// <summary>A single answer that comes late is no silence.</summary>
    private static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(2);

    /// <summary>An answer that takes this long comes from a node that is short of processor time.</summary>
    private static readonly TimeSpan Late = TimeSpan.FromMilliseconds(800);

    private readonly ConcurrentDictionary<(ObjectKey Pod, string Uid), Target> targets = new();
    private readonly SemaphoreSlim parallel = new(32);

    /// <summary>Told with the cluster whose processes say something new.</summary>
    public event Action<ObjectKey>? Changed;

    /// <summary>Sets which pods of a cluster to ask: those that run and have an address.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="pods">Its pods.</param>
    /// <param name="busy">Whether something is going on, so that answers are wanted more often.</param>
    public void Track(ObjectKey cluster, IEnumerable<V1Pod> pods, bool busy)
    {
        var wanted = new HashSet<(ObjectKey, string)>();
        foreach (var pod in pods.Where(p => p.Status is { Phase: "Running", PodIP.Length: > 0 } && !p.IsTerminating()))
        {
            var id = (ObjectKey.Of(pod), pod.Metadata.Uid);
            wanted.Add(id);
            var port = pod.Role() == Names.Compute ? Ports.ComputeHttp : Ports.StorageHttp;
            var host = pod.Status.PodIP.Contains(':', StringComparison.Ordinal) ? $"[{pod.Status.PodIP}]" : pod.Status.PodIP;
            var target = targets.GetOrAdd(id, _ => new Target(cluster, pod.Role() == Names.Compute, pod.Spec?.NodeName, new Uri($"http://{host}:{port}/status")));
            target.Period = busy ? Busy : Quiet;
        }

        foreach (var (id, _) in targets.Where(t => t.Value.Cluster == cluster && !wanted.Contains(t.Key)))
        {
            targets.TryRemove(id, out _);
        }
    }

    /// <summary>The newest reports of a cluster, by name of the pod.</summary>
    public IReadOnlyDictionary<string, PodReport> Reports(ObjectKey cluster) =>
        targets.Where(t => t.Value.Cluster == cluster && t.Value.Report is not null).GroupBy(t => t.Key.Pod.Name)
            .ToDictionary(g => g.Key, g => g.First().Value.Report!);

    /// <summary>How many storage pods of any cluster answer late or not at all, by node.</summary>
    public IReadOnlyDictionary<string, int> SlowStorage() =>
        targets.Values.Where(t => t is { IsCompute: false, Node: not null } && (t.Pace >= Late || t.FailingSince is not null)).GroupBy(t => t.Node!).ToDictionary(g => g.Key, g => g.Count());

    /// <summary>Asks until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(250), time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancel))
            {
                var now = time.GetUtcNow();
                foreach (var target in targets.Values.Where(t => t.Due <= now && !t.Asking))
                {
                    target.Asking = true;
                    _ = AskAsync(target, cancel);
                }
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // Ordered.
        }
    }

    public void Dispose() => parallel.Dispose();

    private async Task AskAsync(Target target, CancellationToken cancel)
    {
        try
        {
            await parallel.WaitAsync(cancel);
            try
            {
                await AskOnceAsync(target, cancel);
            }
            finally
            {
                parallel.Release();
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return;
        }
        finally
        {
            target.Due = time.GetUtcNow() + target.Period;
            target.Asking = false;
        }

        var now = time.GetUtcNow();
        var told = Essence(target.Report);
        var vdl = target.Report?.Compute?.Vdl;
        if (told != target.Told || (vdl != target.ToldVdl && now - target.ToldAt >= StatusWriter.LsnPeriod))
        {
            target.Told = told;
            target.ToldVdl = vdl;
            target.ToldAt = now;
            Changed?.Invoke(target.Cluster);
        }
    }

    private async Task AskOnceAsync(Target target, CancellationToken cancel)
    {
        var asked = time.GetTimestamp();
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            limit.CancelAfter(TimeSpan.FromSeconds(2));
            if (target.IsCompute)
            {
                var compute = await http.GetFromJsonAsync<ComputeReport>(target.Address, limit.Token);
                if (compute is { State: "failed", Message.Length: > 0 })
                {
                    // It starts again within a second, and what it said is gone then.
                    target.LastFailure = compute.Message;
                }

                compute = compute is null || compute.LastWords is { Length: > 0 } ? compute : compute with { LastWords = target.LastFailure };
                target.Report = new PodReport(null, compute, null, target.Report?.Compute?.Vdl);
            }
            else
            {
                var storage = await http.GetFromJsonAsync<StorageReport>(target.Address, limit.Token);
                target.Report = new PodReport(storage, null, null);
            }

            target.FailingSince = null;
            target.Pace = time.GetElapsedTime(asked);
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or NotSupportedException
            || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            var now = time.GetUtcNow();
            target.FailingSince ??= now;
            if (target.Report is { IsReachable: true } && now - target.FailingSince >= Tolerance)
            {
                target.Report = target.Report with { UnreachableSince = target.FailingSince.Value.UtcDateTime };
            }
        }
    }

    /// <summary>What the planner acts on, without the LSNs that move all the time.</summary>
    private static string Essence(PodReport? report) => report switch
    {
        null => "",
        { Compute: { } c } => $"{report.IsReachable} {c.State} {c.Message} {c.Epoch} {string.Join(',', c.PendingRestart ?? [])} {c.ParametersHash} {string.Join(';', c.ParametersRejected ?? [])} {c.AdministrationProblem} {c.LastWords} {string.Join(',', report.Lagging())}",
        { Storage: { } s } => $"{report.IsReachable} {s.State} " + string.Join(';', s.Segments.Select(g => $"{g.Group} {g.Epoch} {g.State} {g.Message}")),
        _ => "unreachable",
    };

    private sealed class Target(ObjectKey cluster, bool isCompute, string? node, Uri address)
    {
        public ObjectKey Cluster { get; } = cluster;
        public bool IsCompute { get; } = isCompute;
        public string? Node { get; } = node;
        public TimeSpan Pace { get; set; }
        public string? LastFailure { get; set; }
        public Uri Address { get; } = address;
        public TimeSpan Period { get; set; } = Busy;
        public DateTimeOffset Due { get; set; }
        public volatile bool Asking;
        public DateTimeOffset? FailingSince { get; set; }
        public PodReport? Report { get; set; }
        public string Told { get; set; } = "";
        public string? ToldVdl { get; set; }
        public DateTimeOffset ToldAt { get; set; }
    }
}
