using System.Diagnostics;
using k8s;
using k8s.Autorest;
using k8s.Models;
using Microsoft.Extensions.Logging;

namespace Redoubt.Operator.Runtime;

/// <summary>
/// Runs work only while this process holds the Lease. When the Lease is lost or cannot be renewed, the work is cancelled and waited for, and
/// the process goes on as a follower: an API server that is away ends no process. On an ordered stop the Lease is given back, so that the
/// other replica leads at once.
/// </summary>
public sealed class LeaderGuard(Kubernetes client, OperatorOptions options, OperatorMetrics metrics, ILogger log)
{
    private static readonly TimeSpan LeaseDuration = TimeSpan.FromSeconds(10);

    /// <summary>Work stops this long after the last renewal, well before others may take the Lease.</summary>
    private static readonly TimeSpan RenewDeadline = TimeSpan.FromSeconds(7);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(2);

    private readonly Repeats repeats = new(TimeProvider.System);
    private string? following;

    /// <summary>Leads whenever it can, and runs <paramref name="work"/> meanwhile, until the caller cancels.</summary>
    public async Task RunAsync(Func<CancellationToken, Task> work, CancellationToken cancel)
    {
        if (!options.LeaderElection)
        {
            metrics.Leader.Set(1);
            await work(cancel);
            return;
        }

        try
        {
            while (true)
            {
                await AcquireAsync(cancel);
                await LeadAsync(work, cancel);
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            await ReleaseAsync();
        }
    }

    /// <summary>Waits until the Lease is free, ours already, or has not been renewed for its whole duration as seen from here.</summary>
    private async Task AcquireAsync(CancellationToken cancel)
    {
        (string? Holder, DateTime? Renewed) seen = default;
        var unchanged = Stopwatch.StartNew();
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            try
            {
                var lease = await ReadAsync(Period * 2, cancel);
                var now = (lease?.Spec?.HolderIdentity, lease?.Spec?.RenewTime);
                if (now != seen)
                {
                    seen = now;
                    unchanged.Restart();
                }

                var isFree = string.IsNullOrEmpty(seen.Holder) || seen.Holder == options.Identity
                    || unchanged.Elapsed >= TimeSpan.FromSeconds(lease!.Spec.LeaseDurationSeconds ?? LeaseDuration.TotalSeconds);
                if (isFree)
                {
                    await HoldAsync(lease, Period * 2, cancel);
                    return;
                }

                if (following != seen.Holder)
                {
                    following = seen.Holder;
                    Log.Following(log, seen.Holder!);
                }
            }
            catch (Exception e) when (IsPassing(e, cancel))
            {
                Tell(e);
            }

            await Task.Delay(Jittered(Period), cancel);
        }
    }

    private async Task LeadAsync(Func<CancellationToken, Task> work, CancellationToken cancel)
    {
        Log.Leading(log, options.Identity);
        metrics.Leader.Set(1);
        following = null;
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var working = work(lost.Token);
        try
        {
            var sinceRenewal = Stopwatch.StartNew();
            while (!working.IsCompleted && !cancel.IsCancellationRequested)
            {
                await Task.WhenAny(working, Task.Delay(Jittered(Period), lost.Token));
                var left = RenewDeadline - sinceRenewal.Elapsed;
                if (left <= TimeSpan.Zero)
                {
                    Log.LeadershipLost(log, options.Identity);
                    break;
                }

                var attempt = Stopwatch.StartNew();
                try
                {
                    var lease = await ReadAsync(left, lost.Token);
                    if (lease is not null && lease.Spec.HolderIdentity != options.Identity)
                    {
                        Log.LeadershipLost(log, options.Identity);
                        break;
                    }

                    await HoldAsync(lease, left, lost.Token);
                    sinceRenewal = attempt;
                }
                catch (Exception e) when (IsPassing(e, cancel))
                {
                    Tell(e);
                }
            }
        }
        finally
        {
            metrics.Leader.Set(0);
            await lost.CancelAsync();
            try
            {
                await working;
            }
            catch (OperationCanceledException)
            {
                // Ordered.
            }
            catch (Exception e)
            {
                // The next leader, which may be this process, starts with empty hands.
                Log.WorkFailed(log, e);
            }
        }
    }

    private async Task<V1Lease?> ReadAsync(TimeSpan limit, CancellationToken cancel)
    {
        using var limited = Limited(limit, cancel);
        try
        {
            return await client.CoordinationV1.ReadNamespacedLeaseAsync(options.LeaseName, options.Namespace, cancellationToken: limited.Token);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == System.Net.HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>Takes the Lease or renews it; the resourceVersion keeps two from doing that at once.</summary>
    private async Task HoldAsync(V1Lease? lease, TimeSpan limit, CancellationToken cancel)
    {
        using var limited = Limited(limit, cancel);
        var now = DateTime.UtcNow;
        if (lease is null)
        {
            await client.CoordinationV1.CreateNamespacedLeaseAsync(
                new V1Lease
                {
                    Metadata = new V1ObjectMeta { Name = options.LeaseName, NamespaceProperty = options.Namespace },
                    Spec = new V1LeaseSpec
                    {
                        HolderIdentity = options.Identity, LeaseDurationSeconds = (int)LeaseDuration.TotalSeconds, AcquireTime = now, RenewTime = now, LeaseTransitions = 0,
                    },
                },
                options.Namespace, cancellationToken: limited.Token);
            return;
        }

        lease.Spec ??= new V1LeaseSpec();
        if (lease.Spec.HolderIdentity != options.Identity)
        {
            lease.Spec.LeaseTransitions = (lease.Spec.LeaseTransitions ?? 0) + 1;
            lease.Spec.AcquireTime = now;
        }

        lease.Spec.HolderIdentity = options.Identity;
        lease.Spec.LeaseDurationSeconds = (int)LeaseDuration.TotalSeconds;
        lease.Spec.RenewTime = now;
        await client.CoordinationV1.ReplaceNamespacedLeaseAsync(lease, options.LeaseName, options.Namespace, cancellationToken: limited.Token);
    }

    private async Task ReleaseAsync()
    {
        try
        {
            var lease = await ReadAsync(TimeSpan.FromSeconds(3), CancellationToken.None);
            if (lease?.Spec.HolderIdentity == options.Identity)
            {
                using var limited = Limited(TimeSpan.FromSeconds(3), CancellationToken.None);
                lease.Spec.HolderIdentity = "";
                lease.Spec.LeaseDurationSeconds = 1;
                await client.CoordinationV1.ReplaceNamespacedLeaseAsync(lease, options.LeaseName, options.Namespace, cancellationToken: limited.Token);
            }
        }
        catch (Exception e) when (IsPassing(e, CancellationToken.None))
        {
            // It runs out by itself.
            Tell(e);
        }
    }

    private void Tell(Exception e)
    {
        var message = e is OperationCanceledException ? "the API server does not answer" : (e as HttpOperationException)?.Response.Content is { Length: > 0 } body ? body : e.Message;
        if (repeats.IsWorthSaying("election", message, out var times))
        {
            Log.ElectionFailed(log, message, times);
        }
    }

    /// <summary>Whether it is about the server or the way to it, rather than about us.</summary>
    private static bool IsPassing(Exception e, CancellationToken cancel) =>
        e is HttpOperationException or HttpRequestException or IOException or System.Text.Json.JsonException
        || (e is OperationCanceledException && !cancel.IsCancellationRequested);

    private static CancellationTokenSource Limited(TimeSpan limit, CancellationToken cancel)
    {
        var source = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        source.CancelAfter(limit);
        return source;
    }

    private static TimeSpan Jittered(TimeSpan period) => period * (0.6 + (0.8 * Random.Shared.NextDouble()));
}
