using System.Collections.Concurrent;
using System.Text;
using Redoubt.Operator.Api;
using Redoubt.Operator.Planning;
using Redoubt.TestCluster;
using Redoubt.TestCluster.Api;

namespace Redoubt.Operator.Tests.Runtime;

/// <summary>The operator's behaviour, over HTTP, against an API server that is as strict as a real one.</summary>
public sealed class OperatorTests
{
    [Fact]
    public async Task A_manifest_becomes_a_ready_cluster()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 6}}");
        await harness.ReadyAsync();

        var cluster = harness.Cluster()!;
        Assert.Equal("6/6", cluster.Status!.SegmentsReady);
        Assert.Equal("demo-compute-1", cluster.Status.Primary);
        Assert.Equal(["a", "b", "c", "a", "b", "c"], cluster.Status.Segments!.Select(s => s.Zone));
        Assert.Equal("demo-compute-1", harness.Registry.Get(BuiltInTypes.Services, "default", "demo-rw").Text("spec", "selector", Names.PodLabel));
        var app = harness.Registry.Get(BuiltInTypes.Secrets, "default", "demo-app");
        string Value(string key) => Encoding.UTF8.GetString(Convert.FromBase64String(app.Text("data", key)!));
        Assert.Equal($"postgresql://app:{Value("password")}@demo-rw.default.svc:5432/app", Value("uri"));
        Assert.Equal(32, Value("password").Length);
    }

    [Fact]
    public async Task An_idle_operator_makes_no_request_but_its_watches()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 3}}");
        await harness.ReadyAsync();
        await harness.UntilAsync(() => harness.Registry.List(BuiltInTypes.Events, "default").Any(e => e.Text("reason") == "StorageHealed"), () => "the last event");
        await harness.UntilAsync(() => harness.Registry.List(BuiltInTypes.Events, "default").Any(e => e.Text("reason") == "Ready"), () => "the last event");
        double Requests() => harness.Metrics.ApiRequests.GetAllLabelValues().Where(l => l[0] != "watch").Sum(l => harness.Metrics.ApiRequests.WithLabels(l).Value);
        var before = Requests();
        await Task.Delay(3000); // a span that is observed, not one that is waited out: nothing may happen in it
        Assert.Equal(before, Requests());
    }

    [Theory]
    [InlineData(137, "ComputeEnded")]
    [InlineData(3, "ComputeFenced")]
    public async Task A_compute_pod_that_ends_is_replaced_and_the_service_follows(int exitCode, string reason)
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 3}}");
        await harness.ReadyAsync();
        harness.Node.Kill("demo-compute-1", exitCode);
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Primary == "demo-compute-2", () => "demo-compute-2 is primary");
        await harness.ReadyAsync();
        Assert.Equal("demo-compute-2", harness.Registry.Get(BuiltInTypes.Services, "default", "demo-rw").Text("spec", "selector", Names.PodLabel));
        Assert.Equal(2, harness.Cluster()!.Status!.ComputeGeneration);
        await harness.UntilAsync(() => harness.Pods(Names.Compute).Count == 1, () => "the ended pod is removed");
        await harness.UntilAsync(
            () => harness.Registry.List(BuiltInTypes.Events, "default").Any(e => e.Text("reason") == reason), () => $"event {reason}");
    }

    [Fact]
    public async Task A_deleted_storage_pod_comes_back_on_its_volume()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 3}}");
        await harness.ReadyAsync();
        var volume = harness.Registry.Get(BuiltInTypes.Claims, "default", "demo-storage-1").Uid();
        var pod = harness.Registry.Get(BuiltInTypes.Pods, "default", "demo-storage-1").Uid();
        harness.Registry.Delete(BuiltInTypes.Pods, "default", "demo-storage-1", new DeleteOptions());
        await harness.UntilAsync(
            () => harness.Registry.TryGet(BuiltInTypes.Pods, "default", "demo-storage-1") is { } p && p.Uid() != pod, () => "a new storage pod");
        await harness.ReadyAsync();
        Assert.Equal(volume, harness.Registry.Get(BuiltInTypes.Claims, "default", "demo-storage-1").Uid());
    }

    [Fact]
    public async Task A_deleted_volume_is_replaced_together_with_its_pod()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 3}}");
        await harness.ReadyAsync();
        var volume = harness.Registry.Get(BuiltInTypes.Claims, "default", "demo-storage-1");
        harness.Registry.Delete(BuiltInTypes.Claims, "default", "demo-storage-1", new DeleteOptions());
        await harness.UntilAsync(
            () => harness.Registry.TryGet(BuiltInTypes.Claims, "default", "demo-storage-1") is { } c && c.Uid() != volume.Uid(), () => "a new volume");
        await harness.ReadyAsync();
        Assert.Equal("b", harness.Registry.Get(BuiltInTypes.Claims, "default", "demo-storage-1").Text("metadata", "labels", Names.ZoneLabel));
    }

    [Fact]
    public async Task An_upgrade_takes_one_storage_pod_at_a_time_and_compute_last()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 6}}");
        await harness.ReadyAsync();
        var started = new ConcurrentQueue<string>();
        var most = 0;
        harness.Node.Started += pod =>
        {
            started.Enqueue(pod);
            most = Math.Max(most, harness.Cluster()!.Spec.Storage.Copies - harness.Pods(Names.Storage).Count(p => p.Text("status", "phase") == "Running"));
        };
        harness.Apply("{storage: {copies: 6}, images: {storage: 'redoubt:2', compute: 'redoubt-compute:2'}}");
        await harness.UntilAsync(() => started.Contains("demo-compute-2"), () => $"compute is upgraded, so far {string.Join(' ', started)}: {harness.Cluster()?.Status?.Phase}");
        await harness.ReadyAsync();
        Assert.Equal([.. Enumerable.Range(0, 6).Select(i => $"demo-storage-{i}"), "demo-compute-2"], started);
        Assert.Equal(0, most);
        Assert.All(harness.Pods(Names.Storage), p => Assert.Equal("redoubt:2", p["spec"]!["containers"]![0]!["image"]!.ToString()));
    }

    [Fact]
    public async Task An_upgrade_waits_for_the_upgraded_segment_to_be_complete()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 3}}");
        await harness.ReadyAsync();
        harness.Node.SegmentStates["demo-storage-0"] = "behind";
        await harness.UntilAsync(() => harness.Cluster()?.Status?.SegmentsReady == "2/3", () => "one is behind");
        var others = harness.Pods(Names.Storage).Skip(1).Select(p => p.Uid()).ToList();
        harness.Apply("{storage: {copies: 3}, images: {storage: 'redoubt:2'}}");
        await harness.UntilAsync(() => harness.Cluster()?.Status?.ObservedGeneration == 2, () => "the new spec is seen");
        await harness.UntilAsync(
            () => harness.Pods(Names.Storage).FirstOrDefault()?["spec"]!["containers"]![0]!["image"]!.ToString() == "redoubt:2", () => "the segment that is behind is upgraded first");
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Phase?.Contains("1 of 3", StringComparison.Ordinal) == true, () => $"one is done: {harness.Cluster()?.Status?.Phase}");
        Assert.Equal(others, harness.Pods(Names.Storage).Skip(1).Select(p => p.Uid()));
        harness.Node.SegmentStates["demo-storage-0"] = "complete";
        await harness.ReadyAsync();
        Assert.All(harness.Pods(Names.Storage), p => Assert.Equal("redoubt:2", p["spec"]!["containers"]![0]!["image"]!.ToString()));
    }

    [Fact]
    public async Task An_image_that_cannot_be_pulled_shows_and_can_be_put_right()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Node.BrokenImages["redoubt:typo"] = true;
        harness.Apply("{storage: {copies: 3}, images: {storage: 'redoubt:typo'}}");
        await harness.UntilAsync(
            () => harness.Cluster()?.Status?.Conditions?.Any(c => c is { Type: ConditionTypes.Degraded, Status: "True", Reason: "ImagePullFailed" }) == true,
            () => "the image shows");
        await harness.UntilAsync(
            () => harness.Registry.List(BuiltInTypes.Events, "default").Any(e => e.Text("reason") == "ImagePullFailed" && e.Text("type") == "Warning"), () => "the event");
        harness.Apply("{storage: {copies: 3}, images: {storage: 'redoubt:1'}}");
        await harness.ReadyAsync();
    }

    [Fact]
    public async Task A_parameter_reaches_the_config_map_and_one_that_needs_it_restarts_compute()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 1}}");
        await harness.ReadyAsync();
        var hash = harness.Pods(Names.Compute).Single().Text("metadata", "annotations", Names.ConfigHashAnnotation);
        harness.Apply("{storage: {copies: 1}, postgres: {parameters: {max_connections: '300'}}}");
        await harness.UntilAsync(
            () => harness.Pods(Names.Compute).Single().Text("metadata", "annotations", Names.ConfigHashAnnotation) != hash, () => "the pod is told");
        Assert.Contains("max_connections = '300'\n", harness.Registry.Get(BuiltInTypes.ConfigMaps, "default", "demo-postgres").Text("data", "parameters.conf"), StringComparison.Ordinal);
        Assert.Equal("demo-compute-1", harness.Pods(Names.Compute).Single().Name());
        harness.Node.PendingRestart["demo-compute-1"] = ["max_connections"];
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Primary == "demo-compute-2", () => "compute is restarted");
        await harness.ReadyAsync();
    }

    [Fact]
    public async Task Volumes_grow()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 3, size: 1Gi}}");
        await harness.ReadyAsync();
        harness.Apply("{storage: {copies: 3, size: 2Gi}}");
        await harness.UntilAsync(
            () => harness.Registry.List(BuiltInTypes.Claims, "default").All(c => c.Text("spec", "resources", "requests", "storage") == "2Gi"), () => "volumes have grown");
    }

    [Theory]
    [InlineData("Retain", 3, true)]
    [InlineData("Delete", 0, false)]
    public async Task Deletion_keeps_or_deletes_the_data(string policy, int volumes, bool secretsStay)
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply($"{{storage: {{copies: 3}}, deletionPolicy: {policy}}}");
        await harness.ReadyAsync();
        harness.Registry.Delete(harness.ClusterType, "default", "demo", new DeleteOptions());
        await harness.UntilAsync(() => harness.Cluster() is null, () => "the cluster is gone");
        Assert.Empty(harness.Registry.List(BuiltInTypes.Pods, "default"));
        Assert.Equal(volumes, harness.Registry.List(BuiltInTypes.Claims, "default").Count);
        var secret = harness.Registry.TryGet(BuiltInTypes.Secrets, "default", "demo-app");
        Assert.Equal(secretsStay, secret is not null && secret.At("metadata", "ownerReferences") is null);
    }

    [Fact]
    public async Task A_new_cluster_takes_up_retained_volumes_and_passwords()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 3}}");
        await harness.ReadyAsync();
        var volume = harness.Cluster()!.Status!.VolumeId;
        var password = harness.Registry.Get(BuiltInTypes.Secrets, "default", "demo-app").Text("data", "password");
        harness.Registry.Delete(harness.ClusterType, "default", "demo", new DeleteOptions());
        await harness.UntilAsync(() => harness.Cluster() is null, () => "the cluster is gone");
        harness.Apply("{storage: {copies: 3}}");
        await harness.ReadyAsync();
        Assert.Equal(volume, harness.Cluster()!.Status!.VolumeId);
        Assert.Equal(password, harness.Registry.Get(BuiltInTypes.Secrets, "default", "demo-app").Text("data", "password"));
    }

    [Fact]
    public async Task What_somebody_changes_is_put_back()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 1}}");
        await harness.ReadyAsync();
        var service = harness.Registry.Get(BuiltInTypes.Services, "default", "demo-rw").Clone();
        service["spec"]!["selector"] = new System.Text.Json.Nodes.JsonObject { ["app"] = "other" };
        harness.Registry.Update(BuiltInTypes.Services, "default", "demo-rw", service, "", new WriteOptions("somebody"));
        await harness.UntilAsync(
            () => harness.Registry.Get(BuiltInTypes.Services, "default", "demo-rw").Text("spec", "selector", Names.PodLabel) == "demo-compute-1", () => "the selector is put back");
        harness.Registry.Delete(BuiltInTypes.ConfigMaps, "default", "demo-postgres", new DeleteOptions());
        await harness.UntilAsync(() => harness.Registry.TryGet(BuiltInTypes.ConfigMaps, "default", "demo-postgres") is not null, () => "the ConfigMap is back");
    }
}
