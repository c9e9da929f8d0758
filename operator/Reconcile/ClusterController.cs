using Microsoft.Extensions.Logging;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Reconcile;

/// <summary>The control loop: informers and the monitor put clusters into the queue, workers take them out.</summary>
/// <param name="options">Configuration.</param>
/// <param name="api">The API server.</param>
/// <param name="metrics">Metrics.</param>
/// <param name="time">The clock.</param>
/// <param name="logs">Logs.</param>
/// <param name="pods">How requests reach pods; null: over the network.</param>
public sealed class ClusterController(
    OperatorOptions options, KubeApi api, OperatorMetrics metrics, TimeProvider time, ILoggerFactory logs, HttpMessageHandler? pods = null)
{
    private const int Workers = 4;
    private readonly ILogger log = logs.CreateLogger("Redoubt.Operator");
    private readonly Repeats repeats = new(time);

    /// <summary>Whether the caches are filled and workers run.</summary>
    public bool IsRunning { get; private set; }

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using var handler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(1), PooledConnectionLifetime = TimeSpan.FromMinutes(2), UseProxy = false };
        using var http = new HttpClient(pods ?? handler, disposeHandler: false);
        using var monitor = new DataPlaneMonitor(http, time);
        var caches = new ObjectCaches(api, options.WatchNamespace, log, metrics);
        var queue = new WorkQueue<ObjectKey>(time, TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(5));
        var expectations = new Expectations(time);
        var refusals = new Refusals(time);
        var reconciler = new ClusterReconciler(
            options, caches, new PlanExecutor(api, caches, expectations, refusals, repeats, log), refusals, new StatusWriter(api, time),
            new EventRecorder(api, options.Identity, time, repeats, log), monitor, expectations, metrics, time, log);
        caches.OnChange(queue.Add);
        monitor.Changed += queue.Add;

        var tasks = caches.All.Select(i => i.RunAsync(stop.Token)).ToList();
        try
        {
            await Task.WhenAll(caches.All.Select(i => i.Synced)).WaitAsync(cancel);
            Log.CachesFilled(log);
            IsRunning = true;
            tasks.Add(monitor.RunAsync(stop.Token));
            tasks.AddRange(Enumerable.Range(0, Workers).Select(_ => WorkAsync(queue, reconciler, caches, stop.Token)));

            // None of them ends before it is told to; one that does has failed, and the process must not go on half alive.
            await await Task.WhenAny(tasks);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // Ordered.
        }
        finally
        {
            IsRunning = false;
            await stop.CancelAsync();
            await Task.WhenAll(tasks);
        }
    }

    private async Task WorkAsync(WorkQueue<ObjectKey> queue, ClusterReconciler reconciler, ObjectCaches caches, CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            ObjectKey key;
            try
            {
                key = await queue.TakeAsync(cancel);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            try
            {
                metrics.QueueLength.Set(queue.Count);
                metrics.Clusters.Set(caches.Clusters.All.Count());
                using var timer = Prometheus.TimerExtensions.NewTimer(metrics.ReconcileSeconds);
                var again = await reconciler.ReconcileAsync(key, cancel);
                metrics.Reconciles.WithLabels("ok").Inc();
                queue.Forget(key);
                repeats.Forget(key.ToString());
                if (again is { } delay)
                {
                    queue.AddAfter(key, delay);
                }
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                metrics.Reconciles.WithLabels("error").Inc();
                queue.AddRateLimited(key);
                if (repeats.IsWorthSaying(key.ToString(), e.Message, out var times))
                {
                    if (e is KubeApiException or HttpRequestException or IOException)
                    {
                        Log.ReconcileFailed(log, key.ToString(), e.Message, times);
                    }
                    else
                    {
                        Log.Unexpected(log, e, key.ToString());
                    }
                }
            }
            finally
            {
                queue.Done(key);
            }
        }
    }
}
