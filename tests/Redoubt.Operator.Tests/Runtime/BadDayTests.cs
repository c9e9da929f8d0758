using Redoubt.Operator.Planning;
using Redoubt.Operator.Reconcile;
using Redoubt.Operator.Runtime;
using Redoubt.TestCluster;
using Redoubt.TestCluster.Api;

namespace Redoubt.Operator.Tests.Runtime;

/// <summary>Silence, starvation, deletion that must end, two operators.</summary>
public sealed class BadDayTests
{
    [Fact]
    public async Task A_compute_that_falls_silent_is_replaced_and_its_successor_is_given_longer()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 3}}");
        await harness.ReadyAsync();
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Epoch > 0, () => "it has answered");
        harness.Node.Silent["demo-compute-1"] = true;
        harness.Node.SetReady("demo-compute-1", false);
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Primary == "demo-compute-2", () => "it is replaced");
        Assert.Equal("1", harness.Pods(Names.Compute).Last().Text("metadata", "annotations", Names.SilenceAnnotation));
        await harness.UntilAsync(() => harness.Events("ComputeUnreachable").Count == 1, () => "an event tells it");
    }

    [Fact]
    public async Task A_starved_node_is_not_made_worse_by_new_pods()
    {
        await using var harness = await OperatorHarness.StartAsync(nodes: 1);
        harness.Apply("{storage: {copies: 1}}");
        await harness.ReadyAsync();
        harness.Node.Silent["demo-compute-1"] = true;
        harness.Node.SetReady("demo-compute-1", false);
        harness.Node.Slow["w1"] = TimeSpan.FromSeconds(1.2);
        await harness.UntilAsync(() => harness.Condition("Degraded")?.Message.Contains("answer slowly", StringComparison.Ordinal) == true, () => "it is told");
        await Task.Delay(12_000); // longer than a silence is suffered on a node that is well
        Assert.Equal("demo-compute-1", harness.Cluster()!.Status!.Primary);
        harness.Node.Slow.Clear();
        harness.Node.Silent.Clear();
        harness.Node.SetReady("demo-compute-1", true);
        await harness.ReadyAsync();
    }

    [Fact]
    public async Task Deletion_ends_though_a_node_is_lost()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 3}}");
        await harness.ReadyAsync();
        var lost = harness.Pods(Names.Storage)[0].Text("spec", "nodeName")!;
        harness.Node.Lose(lost);
        harness.Registry.Delete(harness.ClusterType, "default", "demo", new DeleteOptions());
        await harness.UntilAsync(() => harness.Cluster() is null, () => $"the cluster is gone: {harness.Cluster()?.Status?.Message}");
    }

    [Fact]
    public async Task The_second_of_two_operators_stands_aside_and_says_so_on_the_cluster()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 1}}");
        await harness.ReadyAsync();
        harness.StartOperator(OperatorHarness.Options with { Namespace = "team", WatchNamespace = "default" });
        await harness.UntilAsync(() => harness.Events("TwoOperators").Count > 0, () => "it is told");
        Assert.Contains("redoubt-system/redoubt-operator looks after the cluster", harness.Events("TwoOperators").Single().Text("message"), StringComparison.Ordinal);
        harness.Node.Kill("demo-compute-1", 1);
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Primary == "demo-compute-2", () => "the first goes on");
        await harness.ReadyAsync();
        Assert.Equal(0, harness.Metrics.ApiRequests.WithLabels("apply").Value); // the second's
    }

    [Fact]
    public async Task Uninstalling_is_refused_while_there_are_clusters_and_by_force_lets_them_be_deleted()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 1}}");
        await harness.ReadyAsync();
        using var client = harness.Client();
        using var output = new StringWriter();
        Assert.Equal(1, await Uninstall.RunAsync(new KubeApi(client), null, [], force: false, output, output));
        Assert.Contains("kubectl -n default delete dbc demo", output.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, await Uninstall.RunAsync(new KubeApi(client), null, ["default"], force: false, output, output));
        Assert.Equal(0, await Uninstall.RunAsync(new KubeApi(client), null, [], force: true, output, output));
        await harness.UntilAsync(() => harness.Cluster()?.Metadata.Annotations?[Names.OperatorAnnotation].StartsWith("uninstalled", StringComparison.Ordinal) == true, () => "it is let go");
        await Task.Delay(1500); // a span that is observed: the operator, which still runs, must not take it up again
        await harness.StopOperatorAsync();
        Assert.Equal("demo-compute-1", harness.Pods(Names.Compute).Single().Name());
        harness.Registry.Delete(harness.ClusterType, "default", "demo", new DeleteOptions());
        Assert.Null(harness.Cluster());
    }

    [Fact]
    public async Task A_namespace_can_be_left_to_another_operator()
    {
        await using var harness = await OperatorHarness.StartAsync(withOperator: false);
        harness.StartOperator(OperatorHarness.Options with { ExcludeNamespaces = new HashSet<string> { "default" } });
        harness.Create("{apiVersion: v1, kind: Namespace, metadata: {name: team}}");
        harness.Apply("{storage: {copies: 1}}");
        harness.Apply("{storage: {copies: 1}}", ns: "team");
        await harness.UntilAsync(() => OperatorHarness.Is(harness.Cluster(ns: "team"), "Ready"), () => "the other cluster is ready");
        Assert.Null(harness.Cluster()!.Status);
        Assert.Null(harness.Cluster()!.Metadata.Finalizers);
    }
}
