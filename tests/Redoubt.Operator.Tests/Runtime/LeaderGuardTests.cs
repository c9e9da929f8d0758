using k8s;
using Microsoft.Extensions.Logging.Abstractions;
using Redoubt.Operator.Runtime;
using Redoubt.TestCluster;
using Redoubt.TestCluster.Api;

namespace Redoubt.Operator.Tests.Runtime;

/// <summary>Leader election over the test API server.</summary>
public sealed class LeaderGuardTests
{
    [Fact]
    public async Task One_leads_and_the_other_takes_over_at_once_when_it_stops()
    {
        await using var harness = await OperatorHarness.StartAsync(withOperator: false);
        using var firstStop = new CancellationTokenSource();
        using var secondStop = new CancellationTokenSource();
        using var client = harness.Client();
        var firstLeads = new TaskCompletionSource();
        var secondLeads = new TaskCompletionSource();
        var first = Guard("first").RunAsync(Work(firstLeads), firstStop.Token);
        await firstLeads.Task.WaitAsync(TimeSpan.FromSeconds(20));
        var second = Guard("second").RunAsync(Work(secondLeads), secondStop.Token);
        await harness.UntilAsync(() => Holder() == "first", () => "the first holds the Lease");
        Assert.False(secondLeads.Task.IsCompleted);

        await firstStop.CancelAsync();
        await first.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.False(secondLeads.Task.IsCompleted && Holder() == "first");
        await secondLeads.Task.WaitAsync(TimeSpan.FromSeconds(8)); // less than the Lease's ten seconds: it was given back
        Assert.Equal("second", Holder());
        await secondStop.CancelAsync();
        await second.WaitAsync(TimeSpan.FromSeconds(20));

        string? Holder() => harness.Registry.TryGet(BuiltInTypes.Leases, "default", OperatorHarness.Options.LeaseName).Text("spec", "holderIdentity");

        LeaderGuard Guard(string identity) => new(
            client, OperatorHarness.Options with { LeaderElection = true, Namespace = "default", Identity = identity },
            new OperatorMetrics(Prometheus.Metrics.NewCustomRegistry()), NullLogger.Instance);

        static Func<CancellationToken, Task> Work(TaskCompletionSource leads) => async cancel =>
        {
            leads.TrySetResult();
            try
            {
                await Task.Delay(Timeout.Infinite, cancel);
            }
            catch (OperationCanceledException)
            {
                // Ordered.
            }
        };
    }

    [Fact]
    public async Task Work_is_cancelled_when_the_lease_is_taken_away_and_begins_again_when_it_is_free()
    {
        await using var harness = await OperatorHarness.StartAsync(withOperator: false);
        using var client = harness.Client();
        using var stop = new CancellationTokenSource();
        var leads = new SemaphoreSlim(0);
        var cancelled = new SemaphoreSlim(0);
        var guard = new LeaderGuard(
            client, OperatorHarness.Options with { LeaderElection = true, Namespace = "default", Identity = "first" },
            new OperatorMetrics(Prometheus.Metrics.NewCustomRegistry()), NullLogger.Instance);
        var run = guard.RunAsync(
            async cancel =>
            {
                leads.Release();
                var ended = new TaskCompletionSource();
                await using var registration = cancel.Register(ended.SetResult);
                await ended.Task;
                cancelled.Release();
            },
            stop.Token);
        Assert.True(await leads.WaitAsync(TimeSpan.FromSeconds(20)));
        var lease = harness.Registry.Get(BuiltInTypes.Leases, "default", OperatorHarness.Options.LeaseName).Clone();
        lease["spec"]!["holderIdentity"] = "usurper";
        harness.Registry.Store.Put("leases.coordination.k8s.io", lease);
        Assert.True(await cancelled.WaitAsync(TimeSpan.FromSeconds(25)));

        // Nobody renews it, so it runs out.
        Assert.True(await leads.WaitAsync(TimeSpan.FromSeconds(25)));
        await stop.CancelAsync();
        await run.WaitAsync(TimeSpan.FromSeconds(20));
    }
}
