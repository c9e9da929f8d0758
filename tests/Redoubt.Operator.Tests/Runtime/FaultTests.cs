using Redoubt.Operator.Planning;
using Redoubt.Operator.Runtime;
using Redoubt.TestCluster;
using Redoubt.TestCluster.Api;

namespace Redoubt.Operator.Tests.Runtime;

/// <summary>What the operator does when the API server, the network or it itself fails.</summary>
public sealed class FaultTests
{
    /// <summary>Kills the operator after its n-th write, with the answer lost or the write not sent, and starts another.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_operator_killed_after_any_write_is_carried_on_by_the_next(bool answerLost)
    {
        var expected = await NamesAfterAsync(null);
        for (var writes = 1; writes <= 26; writes++)
        {
            var cut = new CutAfter(writes, answerLost);
            var names = await NamesAfterAsync(cut);
            Assert.True(expected.SequenceEqual(names), $"After a kill at write {writes}: {string.Join(", ", names.Except(expected))} too many, {string.Join(", ", expected.Except(names))} missing");
            if (!cut.Cut.Task.IsCompleted)
            {
                break;
            }
        }
    }

    [Fact]
    public async Task Errors_of_the_server_and_slow_answers_do_not_keep_a_cluster_from_coming_up()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Server.Faults.Latency = TimeSpan.FromMilliseconds(10);
        harness.Server.Faults.FailNext(7, 500, (method, _) => method != "GET");
        harness.Apply("{storage: {copies: 3}}");
        await harness.ReadyAsync();
        Assert.Single(harness.Pods(Names.Compute));
    }

    [Fact]
    public async Task Watches_that_end_are_taken_up_and_too_old_ones_begin_with_a_list()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 3}}");
        await harness.ReadyAsync();
        for (var i = 0; i < 3; i++)
        {
            // While no watch is open something happens that none will ever tell.
            harness.Server.Faults.FailNext(11, 503, (_, _) => true);
            harness.Registry.Store.DropWatches();
            harness.Node.Reconnect();
            var uid = harness.Registry.Get(BuiltInTypes.Pods, "default", "demo-storage-2").Uid();
            harness.Registry.Delete(BuiltInTypes.Pods, "default", "demo-storage-2", new DeleteOptions(0));
            harness.Registry.Store.Compact();
            await harness.UntilAsync(
                () => harness.Registry.TryGet(BuiltInTypes.Pods, "default", "demo-storage-2") is { } p && p.Uid() != uid, () => "the pod is made again");
            await harness.ReadyAsync();
        }
    }

    [Fact]
    public async Task A_write_that_the_server_refuses_for_good_shows_in_the_status()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Registry.Create(BuiltInTypes.ServiceAccounts, "default", Yaml.Documents("""
            apiVersion: v1
            kind: ServiceAccount
            metadata:
              name: demo
              labels: {app.kubernetes.io/managed-by: redoubt-operator, redoubt.dev/cluster: demo}
              ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: other, uid: other, controller: true}]
            """).Single(), new WriteOptions("somebody"));
        harness.Apply("{storage: {copies: 1}}");
        await harness.UntilAsync(
            () => harness.Cluster()?.Status?.Conditions?.Any(c => c is { Type: "Degraded", Status: "True", Reason: "ApplyFailed" }) == true,
            () => "the refusal shows");
    }

    [Theory]
    [InlineData("{apiVersion: v1, kind: Service, metadata: {name: demo-rw}, spec: {selector: {app: mine}, ports: [{port: 80}]}}")]
    [InlineData("{apiVersion: v1, kind: Secret, metadata: {name: demo-app}, data: {password: eA==}}")]
    [InlineData("{apiVersion: v1, kind: ConfigMap, metadata: {name: demo-postgres}, data: {a: b}}")]
    [InlineData("{apiVersion: v1, kind: ServiceAccount, metadata: {name: demo}}")]
    [InlineData("{apiVersion: v1, kind: Pod, metadata: {name: demo-storage-0}, spec: {containers: [{name: a, image: b}]}}")]
    public async Task What_somebody_else_has_made_is_left_alone_and_told(string manifest)
    {
        await using var harness = await OperatorHarness.StartAsync();
        var theirs = Yaml.Documents(manifest).Single();
        var type = harness.Registry.FindKind("v1", theirs.Text("kind"))!;
        var before = harness.Registry.Create(type, "default", theirs, new WriteOptions("somebody"));
        harness.Apply("{storage: {copies: 1}}");
        await harness.UntilAsync(
            () => harness.Cluster()?.Status?.Conditions?.Any(c => c is { Type: "Degraded", Status: "True", Reason: "NameTaken" } && c.Message.Contains($"{theirs.Name()} exists and was not made for this cluster", StringComparison.Ordinal)) == true,
            () => "it is told");
        await harness.UntilAsync(
            () => harness.Registry.List(BuiltInTypes.Events, "default").Any(e => e.Text("reason") == "NameTaken" && e.Text("type") == "Warning" && e.Text("message")!.Contains("choose another name", StringComparison.Ordinal)),
            () => "an event says what to do");
        var after = harness.Registry.Get(type, "default", theirs.Name());
        Assert.Equal(before.Uid(), after.Uid());
        Assert.DoesNotContain(after.Objects("metadata", "managedFields"), f => f.Text("manager") == KubeApi.FieldManager);
        Assert.Null(after.At("metadata", "labels"));
        harness.Registry.Delete(type, "default", theirs.Name(), new DeleteOptions());
        await harness.ReadyAsync();
    }

    [Fact]
    public async Task An_object_that_is_refused_does_not_keep_the_rest_from_being_made()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 1}}");
        await harness.ReadyAsync();
        var stranger = harness.Registry.Get(BuiltInTypes.DisruptionBudgets, "default", "demo-storage").Clone();
        stranger["metadata"]!["ownerReferences"] = Yaml.Documents("{o: [{apiVersion: v1, kind: ConfigMap, name: other, uid: other, controller: true}]}").Single()["o"]!.DeepClone();
        stranger["metadata"]!.AsObject().Remove("managedFields");
        harness.Registry.Store.Put("poddisruptionbudgets.policy", stranger);
        await harness.UntilAsync(
            () => harness.Cluster()?.Status?.Conditions?.Any(c => c is { Type: "Degraded", Status: "True", Reason: "ApplyFailed" }) == true, () => "the refusal shows");
        harness.Node.Kill("demo-compute-1", 137);
        await harness.UntilAsync(
            () => harness.Cluster()?.Status?.Primary == "demo-compute-2" && OperatorHarness.Is(harness.Cluster(), "Ready"), () => "compute is replaced all the same");
    }

    [Fact]
    public async Task An_operator_that_starts_again_raises_no_false_alarm()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 3}}");
        await harness.ReadyAsync();
        await harness.StopOperatorAsync();
        var before = harness.Cluster()!.Metadata.ResourceVersion;
        using var changes = harness.Registry.Store.Subscribe("databaseclusters.redoubt.dev", null);
        harness.StartOperator();

        // A change that the new operator answers tells that it has looked.
        harness.Apply("{storage: {copies: 3}, postgres: {parameters: {work_mem: 9MB}}}");
        await harness.UntilAsync(() => harness.Cluster()?.Status?.ObservedGeneration == 2, () => "the new operator has looked");
        await harness.ReadyAsync();
        Assert.NotEqual(before, harness.Cluster()!.Metadata.ResourceVersion);
        var seen = 0;
        while (changes.Events.TryRead(out var change))
        {
            seen++;
            var status = k8s.KubernetesJson.Deserialize<Redoubt.Operator.Api.DatabaseCluster>(change.Object).Status!;
            Assert.Equal("3/3", status.SegmentsReady);
            Assert.Equal("Ready", status.Phase);
        }

        Assert.True(seen >= 2, "the changes of the spec and of the status were seen");
    }

    private static async Task<List<string>> NamesAfterAsync(CutAfter? cut)
    {
        await using var harness = await OperatorHarness.StartAsync(withOperator: false);
        harness.StartOperator(cut is null ? [] : [cut]);
        harness.Apply("{storage: {copies: 1}}");
        if (cut is not null)
        {
            await harness.UntilAsync(
                () => cut.Cut.Task.IsCompleted || harness.Cluster()?.Status?.Phase == "Ready", () => "the operator is cut off or through");
            await harness.StopOperatorAsync();
            harness.StartOperator();
        }

        await harness.ReadyAsync();
        return
        [
            .. harness.Registry.Store.All()
                .Where(o => o.Object.Text("metadata", "labels", Names.ManagedByLabel) == Names.ManagedBy)
                .Select(o => $"{o.Resource} {o.Object.Name()}").Order(StringComparer.Ordinal),
        ];
    }
}
