using k8s;
using k8s.LeaderElection;
using k8s.LeaderElection.ResourceLock;
using Microsoft.Extensions.Logging;

namespace Redoubt.Operator.Runtime;

/// <summary>
/// Runs work only while this process holds the Lease. When leadership is lost the work is cancelled and the guard returns:
/// the process then ends and starts anew as a follower. On an ordered stop the Lease is given back, so that the other
/// replica leads at once.
/// </summary>
public sealed class LeaderGuard(Kubernetes client, OperatorOptions options, OperatorMetrics metrics, ILogger log)
{
    public const string LeaseName = "redoubt-operator";

    /// <summary>Waits for the Lease, then runs <paramref name="work"/> until it ends, the Lease is lost or the caller cancels.</summary>
    public async Task RunAsync(Func<CancellationToken, Task> work, CancellationToken cancel)
    {
        if (!options.LeaderElection)
        {
            metrics.Leader.Set(1);
            await work(cancel);
            return;
        }

        using var lost = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var elector = new LeaderElector(new LeaderElectionConfig(new LeaseLock(client, options.Namespace, LeaseName, options.Identity))
        {
            LeaseDuration = TimeSpan.FromSeconds(10),
            RenewDeadline = TimeSpan.FromSeconds(7),
            RetryPeriod = TimeSpan.FromSeconds(2),
        });
        elector.OnStartedLeading += () =>
        {
            Log.Leading(log, options.Identity);
            metrics.Leader.Set(1);
            started.TrySetResult();
        };
        elector.OnNewLeader += leader => Log.Following(log, leader);
        elector.OnError += e => Log.ElectionFailed(log, e.Message);
        elector.OnStoppedLeading += () =>
        {
            metrics.Leader.Set(0);
            if (!cancel.IsCancellationRequested)
            {
                Log.LeadershipLost(log, options.Identity);
            }

            lost.Cancel();
        };

        using var stopElecting = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var electing = elector.RunUntilLeadershipLostAsync(stopElecting.Token);
        try
        {
            await Task.WhenAny(started.Task, electing);
            if (started.Task.IsCompleted)
            {
                await work(lost.Token);
            }
        }
        finally
        {
            await stopElecting.CancelAsync();
            try
            {
                await electing;
            }
            catch (OperationCanceledException)
            {
                // Ordered.
            }

            await ReleaseAsync();
        }
    }

    private async Task ReleaseAsync()
    {
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(3));
            var lease = await client.CoordinationV1.ReadNamespacedLeaseAsync(LeaseName, options.Namespace, cancellationToken: limit.Token);
            if (lease.Spec.HolderIdentity == options.Identity)
            {
                lease.Spec.HolderIdentity = "";
                lease.Spec.LeaseDurationSeconds = 1;
                await client.CoordinationV1.ReplaceNamespacedLeaseAsync(lease, LeaseName, options.Namespace, cancellationToken: limit.Token);
            }
        }
        catch (Exception e) when (e is k8s.Autorest.HttpOperationException or HttpRequestException or OperationCanceledException)
        {
            // It runs out by itself.
            Log.ElectionFailed(log, e.Message);
        }
    }
}
