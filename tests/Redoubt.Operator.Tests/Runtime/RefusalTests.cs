using Redoubt.Operator.Api;
using Redoubt.Operator.Planning;
using Redoubt.Operator.Reconcile;
using Redoubt.Operator.Runtime;
using Redoubt.TestCluster;
using Redoubt.TestCluster.Api;

namespace Redoubt.Operator.Tests.Runtime;

/// <summary>What the API server refuses costs patience: no spinning, no counting, nothing told that is not so.</summary>
public sealed class RefusalTests
{
    private const string Quota = "{apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: default}, spec: {hard: {pods: '1'}}}";

    [Fact]
    public async Task A_quota_that_refuses_the_compute_pod_is_told_once_and_waited_for()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Create(Quota);
        harness.Apply("{storage: {copies: 1}}");
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Phase == "Waiting: quota", () => $"the quota shows: {harness.Cluster()?.Status?.Phase}");
        await harness.UntilAsync(() => harness.Events("QuotaExceeded").Count > 0, () => "the event");
        var before = harness.Writes;
        await Task.Delay(8000); // a span that is observed: nearly nothing may happen in it
        Assert.InRange(harness.Writes - before, 0, 8);
        Assert.Null(harness.Cluster()!.Status!.ComputeGeneration);
        Assert.Empty(harness.Events("ComputeStarted"));
        Assert.Single(harness.Events("QuotaExceeded"));
        Assert.Contains("raise the quota", harness.Condition(ConditionTypes.Degraded)!.Message, StringComparison.Ordinal);

        harness.Registry.Delete(BuiltInTypes.ResourceQuotas, "default", "q", new DeleteOptions());
        await harness.ReadyAsync();
        Assert.Equal("demo-compute-1", harness.Cluster()!.Status!.Primary);
        Assert.Equal("True", harness.Condition(ConditionTypes.Ready)!.Status);
    }

    [Fact]
    public async Task A_quota_that_asks_for_limits_is_put_right_by_writing_them()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Create("{apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: default}, spec: {hard: {limits.cpu: '8'}}}");
        harness.Apply("{storage: {copies: 1}}");
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Phase == "Waiting: quota", () => "the quota shows");
        Assert.Contains("must specify limits.cpu", harness.Cluster()!.Status!.Message, StringComparison.Ordinal);
        harness.Apply("{storage: {copies: 1, resources: {limits: {cpu: 1}}}, compute: {resources: {limits: {cpu: 1}}}}");
        await harness.ReadyAsync(); // at once: the spec is another
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_webhook_that_refuses_or_fails_is_told_and_waited_for(bool fails)
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Registry.Webhook = (type, value) =>
        {
            if (type == BuiltInTypes.Pods && value.Name().Contains("compute", StringComparison.Ordinal))
            {
                throw fails ? ApiException.WebhookFailed("policy.example.com") : ApiException.Denied("policy.example.com", "no");
            }
        };
        harness.Apply("{storage: {copies: 3}}");
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Phase == "Waiting: webhook", () => $"the webhook shows: {harness.Cluster()?.Status?.Phase}");
        Assert.Null(harness.Cluster()!.Status!.ComputeGeneration);
        harness.Registry.Webhook = null;
        await harness.ReadyAsync();
        Assert.Equal("demo-compute-1", harness.Cluster()!.Status!.Primary);
    }

    [Fact]
    public async Task A_replacement_that_is_refused_counts_when_its_pod_exists()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 1}}");
        await harness.ReadyAsync();
        harness.Create(Quota.Replace("pods: '1'", "pods: '1', count/pods: '0'", StringComparison.Ordinal));
        harness.Node.Kill("demo-compute-1", 1, message: "FATAL:  the last word");
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Phase == "Unavailable: quota", () => $"the quota shows: {harness.Cluster()?.Status?.Phase}");
        Assert.Equal(1, harness.Cluster()!.Status!.ComputeGeneration);
        Assert.Empty(harness.Events("ComputeEnded")); // it is told with the replacement
        harness.Registry.Delete(BuiltInTypes.ResourceQuotas, "default", "q", new DeleteOptions());
        await harness.ReadyAsync();
        Assert.Equal("demo-compute-2", harness.Cluster()!.Status!.Primary);
        await harness.UntilAsync(() => harness.Events("ComputeEnded").Any(e => e.Text("message")!.Contains("FATAL:  the last word", StringComparison.Ordinal)), () => "the event has its last words");
    }

    [Fact]
    public void A_step_that_stays_refused_is_tried_less_than_twice_a_minute()
    {
        var time = new ManualTime();
        var refusals = new Refusals(time);
        var key = new ObjectKey("default", "demo");
        var error = new KubeApiException(System.Net.HttpStatusCode.Forbidden, "Forbidden", "no");
        var tries = new List<TimeSpan>();
        for (var at = TimeSpan.Zero; at < TimeSpan.FromMinutes(20); at += TimeSpan.FromSeconds(0.5))
        {
            time.Now = DateTimeOffset.UnixEpoch + at;
            if (!refusals.Stands(key, "Pod compute", "1"))
            {
                tries.Add(at);
                refusals.Add(key, "Pod compute", "1", error);
            }
        }

        Assert.InRange(tries.Count, 8, 19);
        Assert.All(tries.Where(t => t > TimeSpan.FromMinutes(5)).Zip(tries.Where(t => t > TimeSpan.FromMinutes(5)).Skip(1)), p => Assert.True(p.Second - p.First >= TimeSpan.FromSeconds(100)));
        Assert.False(refusals.Stands(key, "Pod compute", "2")); // another wish is tried at once
    }

    [Fact]
    public async Task In_a_namespace_that_is_being_deleted_pods_are_not_made_again_and_everything_ends()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Create("{apiVersion: v1, kind: Namespace, metadata: {name: team}}");
        harness.Apply("{storage: {copies: 3}}", ns: "team");
        await harness.UntilAsync(() => OperatorHarness.Is(harness.Cluster(ns: "team"), "Ready"), () => "the cluster is ready");
        harness.Registry.Delete(BuiltInTypes.Namespaces, "", "team", new DeleteOptions());

        // The namespace controller deletes kind by kind, and pods may go long before their owner.
        foreach (var pod in harness.Registry.List(BuiltInTypes.Pods, "team"))
        {
            harness.Registry.Delete(BuiltInTypes.Pods, "team", pod.Name(), new DeleteOptions());
        }

        await harness.UntilAsync(() => harness.Cluster(ns: "team")?.Status?.Phase?.EndsWith(": namespace", StringComparison.Ordinal) == true, () => $"the namespace shows: {harness.Cluster(ns: "team")?.Status?.Phase}");
        var before = harness.Writes;
        await Task.Delay(4000); // a span that is observed
        Assert.InRange(harness.Writes - before, 0, 10);
        harness.Registry.Delete(harness.ClusterType, "team", "demo", new DeleteOptions());
        await harness.UntilAsync(() => harness.Cluster(ns: "team") is null, () => "the cluster is gone");
    }

    private sealed class ManualTime : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
