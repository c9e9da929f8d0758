using Redoubt.Operator.Planning;
using Redoubt.TestCluster;
using Redoubt.TestCluster.Api;
using Redoubt.TestCluster.Controllers;

namespace Redoubt.Operator.Tests.Runtime;

/// <summary>What <c>kubectl drain</c> meets: budgets that the disruption controller of Kubernetes counts.</summary>
public sealed class DrainTests
{
    [Theory]
    [InlineData(1, false)]
    [InlineData(3, false)]
    [InlineData(6, false)]
    [InlineData(6, true)]
    public async Task A_node_is_drained_one_copy_at_a_time_and_the_drain_ends(int copies, bool localVolumes)
    {
        await using var harness = await OperatorHarness.StartAsync(nodes: 4);
        harness.Node.LocalVolumes = localVolumes;
        harness.Apply($"{{storage: {{copies: {copies}}}}}");
        await harness.ReadyAsync();
        var controller = new DisruptionBudgets(harness.Registry);
        var node = harness.Pods(Names.Storage).GroupBy(p => p.Text("spec", "nodeName")!).OrderByDescending(g => g.Count()).First().Key;
        harness.Node.Cordon(node);

        var leastReady = copies;
        await harness.UntilAsync(
            () =>
            {
                controller.Reconcile();
                leastReady = Math.Min(leastReady, harness.Pods(Names.Storage).Count(IsReady));
                foreach (var pod in harness.Pods(Names.Storage).Where(p => p.Text("spec", "nodeName") == node && p.At("metadata", "deletionTimestamp") is null))
                {
                    try
                    {
                        harness.Registry.Evict("default", pod.Name(), new DeleteOptions());
                    }
                    catch (ApiException e) when (e.Code == 429)
                    {
                        // kubectl drain tries again
                    }
                }

                return harness.Pods(Names.Storage).All(p => p.Text("spec", "nodeName") != node);
            },
            () => $"{node} is drained; {string.Join("; ", harness.Registry.List(BuiltInTypes.DisruptionBudgets, "default").Select(b => b.ToJsonString()))}");

        Assert.True(leastReady >= QuorumShape.For(copies).Write || copies == 1, $"{leastReady} of {copies} were ready at the least");
        Assert.DoesNotContain(harness.Registry.List(BuiltInTypes.Events, "default"), e => e.Text("reason") == "CalculateExpectedPodCountFailed");
        harness.Node.Cordon(node, false);
        await harness.ReadyAsync();
        Assert.Equal(Math.Max(0, copies - 1), harness.Registry.Get(BuiltInTypes.DisruptionBudgets, "default", "demo-storage").Integer("spec", "minAvailable"));
    }

    [Fact]
    public async Task A_drain_of_the_only_node_ends()
    {
        await using var harness = await OperatorHarness.StartAsync(nodes: 1);
        harness.Apply("{storage: {copies: 3}}");
        await harness.UntilAsync(() => OperatorHarness.Is(harness.Cluster(), "Ready"), () => "the cluster is ready");
        var controller = new DisruptionBudgets(harness.Registry);
        harness.Node.Cordon("w1");
        await harness.UntilAsync(
            () =>
            {
                controller.Reconcile();
                foreach (var pod in harness.Pods(Names.Storage).Where(p => p.Text("spec", "nodeName") is not null && p.At("metadata", "deletionTimestamp") is null))
                {
                    try
                    {
                        harness.Registry.Evict("default", pod.Name(), new DeleteOptions());
                    }
                    catch (ApiException e) when (e.Code == 429)
                    {
                        // kubectl drain tries again
                    }
                }

                return harness.Pods(Names.Storage).All(p => p.Text("spec", "nodeName") is null);
            },
            () => "the node is drained");
        harness.Node.Cordon("w1", false);
        await harness.UntilAsync(() => OperatorHarness.Is(harness.Cluster(), "Ready"), () => "the cluster is ready again");
    }

    private static bool IsReady(System.Text.Json.Nodes.JsonObject pod) => pod.Objects("status", "conditions").Any(c => c.Text("type") == "Ready" && c.Text("status") == "True");
}
