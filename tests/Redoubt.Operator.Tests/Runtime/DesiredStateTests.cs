using System.Text;
using System.Text.Json.Nodes;
using Redoubt.Operator.Api;
using Redoubt.Operator.Planning;
using Redoubt.TestCluster;
using Redoubt.TestCluster.Api;

namespace Redoubt.Operator.Tests.Runtime;

/// <summary>Parameters, Secrets and sizes that somebody writes into a living cluster.</summary>
public sealed class DesiredStateTests
{
    [Fact]
    public async Task A_parameter_that_PostgreSQL_refuses_shows_and_nothing_is_restarted()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 1}}");
        await harness.ReadyAsync();
        Assert.Equal("True", harness.Condition(ConditionTypes.ParametersValid)?.Status);
        var uid = harness.Pods(Names.Compute).Single().Uid();
        harness.Node.More["*"] = new JsonObject
        {
            ["parametersRejected"] = new JsonArray(new JsonObject { ["name"] = "work_mem", ["value"] = "4XB", ["reason"] = "invalid value for parameter \"work_mem\": \"4XB\"" }),
            ["pendingRestart"] = new JsonArray("max_connections"),
        };
        harness.Apply("{storage: {copies: 1}, postgres: {parameters: {work_mem: 4XB, max_connections: 50}}}");
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Phase == "Degraded: parameters", () => $"the parameter shows: {harness.Cluster()?.Status?.Phase}");
        Assert.Contains("invalid value for parameter", harness.Condition(ConditionTypes.ParametersValid)!.Message, StringComparison.Ordinal);
        Assert.Equal("True", harness.Condition(ConditionTypes.Ready)!.Status);
        await harness.UntilAsync(() => harness.Events("ParametersInvalid").Count == 1, () => "one event tells it");
        Assert.Equal(uid, harness.Pods(Names.Compute).Single().Uid());

        harness.Node.More.Clear();
        harness.Apply("{storage: {copies: 1}, postgres: {parameters: {work_mem: 4MB}}}");
        await harness.ReadyAsync();
        Assert.Equal("True", harness.Condition(ConditionTypes.ParametersValid)!.Status);
        await harness.UntilAsync(() => harness.Events("ParametersValid").Count == 1, () => "one event tells that it is right again");
    }

    [Fact]
    public async Task A_restart_that_does_not_bring_a_parameter_into_force_is_not_repeated()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 1}}");
        await harness.ReadyAsync();
        harness.Node.More["*"] = new JsonObject { ["pendingRestart"] = new JsonArray("max_connections") };
        harness.Apply("{storage: {copies: 1}, postgres: {parameters: {max_connections: 50}}}");
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Primary == "demo-compute-2", () => "compute is restarted");
        await harness.ReadyAsync();
        await Task.Delay(3000); // a span that is observed
        Assert.Equal("demo-compute-2", harness.Cluster()!.Status!.Primary);
    }

    [Fact]
    public async Task Connection_strings_follow_a_changed_password_only_when_it_is_in_force_and_are_encoded()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 1}}");
        await harness.ReadyAsync();
        string Value(string key) => Encoding.UTF8.GetString(Convert.FromBase64String(harness.Registry.Get(BuiltInTypes.Secrets, "default", "demo-app").Text("data", key)!));
        var (uri, hash) = (Value("uri"), Hash());
        var secret = harness.Registry.Get(BuiltInTypes.Secrets, "default", "demo-app").Clone();
        secret["data"]!["password"] = Convert.ToBase64String("p@ss/w#rd%20:x?y\n"u8);
        harness.Registry.Update(BuiltInTypes.Secrets, "default", "demo-app", secret, "", new WriteOptions("somebody"));
        await harness.UntilAsync(() => Hash() != hash, () => $"the pod is told: {harness.Registry.Get(BuiltInTypes.Secrets, "default", "demo-app").ToJsonString()} {harness.Pods(Names.Compute).Single()["metadata"]!.ToJsonString()}");
        Assert.Equal(uri, Value("uri"));
        await harness.UntilAsync(() => Value("uri") != uri, () => "the connection string follows");
        Assert.Equal("postgresql://app:p%40ss%2Fw%23rd%2520%3Ax%3Fy@demo-rw.default.svc:5432/app", Value("uri"));
        Assert.Contains("password=p%40ss%2Fw%23rd%2520%3Ax%3Fy", Value("jdbc-uri"), StringComparison.Ordinal);
        await harness.UntilAsync(() => harness.Events("PasswordChanged").Count == 1, () => "an event tells it");
        Assert.Equal("demo-compute-1", harness.Cluster()!.Status!.Primary);

        string? Hash() => harness.Pods(Names.Compute).Single().Text("metadata", "annotations", Names.SecretsHashAnnotation);
    }

    [Theory]
    [InlineData("demo-app", "password")]
    [InlineData("demo-superuser", "password")]
    [InlineData("demo-auth", "secret")]
    public async Task A_deleted_secret_comes_back_with_what_it_held(string name, string key)
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 1}}");
        await harness.ReadyAsync();
        var before = harness.Registry.Get(BuiltInTypes.Secrets, "default", name).Text("data", key);
        harness.Registry.Delete(BuiltInTypes.Secrets, "default", name, new DeleteOptions());
        await harness.UntilAsync(() => harness.Registry.TryGet(BuiltInTypes.Secrets, "default", name) is not null, () => "it is back");
        Assert.Equal(before, harness.Registry.Get(BuiltInTypes.Secrets, "default", name).Text("data", key));
        await harness.UntilAsync(() => harness.Events("SecretRestored").Count == 1, () => "an event tells it");
        Assert.Equal("demo-compute-1", harness.Cluster()!.Status!.Primary);
    }

    [Fact]
    public async Task A_secret_deleted_while_no_operator_looked_gets_a_new_password_that_is_handed_over()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 1}}");
        await harness.ReadyAsync();
        await harness.StopOperatorAsync();
        var hash = harness.Pods(Names.Compute).Single().Text("metadata", "annotations", Names.SecretsHashAnnotation);
        harness.Registry.Delete(BuiltInTypes.Secrets, "default", "demo-app", new DeleteOptions());
        harness.StartOperator();
        await harness.UntilAsync(() => harness.Pods(Names.Compute).Single().Text("metadata", "annotations", Names.SecretsHashAnnotation) != hash, () => "the pod is told");
        await harness.UntilAsync(() => harness.Events("SecretRenewed").Count == 1, () => "an event tells it");
    }

    [Theory]
    [InlineData("compute: {resources: {requests: {cpu: 2}, limits: {cpu: 1}}}")]
    [InlineData("storage: {copies: 3, resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}}")]
    public async Task A_change_that_the_server_would_refuse_leaves_the_pods_alone(string change)
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 3}}");
        await harness.ReadyAsync();
        var uids = harness.Registry.List(BuiltInTypes.Pods, "default").Select(p => p.Uid()).Order().ToList();
        harness.Registry.Webhook = (type, value) =>
        {
            if (type == BuiltInTypes.Pods && value.Objects("spec", "containers").Any(c => c.At("resources", "limits") is not null))
            {
                throw ApiException.Denied("policy.example.com", "requests must not be above limits");
            }
        };
        harness.Apply(change.StartsWith("storage", StringComparison.Ordinal) ? $"{{{change}}}" : $"{{storage: {{copies: 3}}, {change}}}");
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Phase == "Degraded: webhook", () => $"the refusal shows: {harness.Cluster()?.Status?.Phase}");
        await Task.Delay(1000); // a span that is observed
        Assert.Equal(uids, harness.Registry.List(BuiltInTypes.Pods, "default").Select(p => p.Uid()).Order());
        harness.Apply("{storage: {copies: 3}}");
        await harness.ReadyAsync();
        Assert.Equal(uids, harness.Registry.List(BuiltInTypes.Pods, "default").Select(p => p.Uid()).Order());
    }

    [Fact]
    public async Task A_compute_image_that_cannot_be_had_gives_way_to_the_one_that_served()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 1}}");
        await harness.ReadyAsync();
        harness.Node.BrokenImages["redoubt-compute:typo"] = true;
        harness.Apply("{storage: {copies: 1}, images: {compute: 'redoubt-compute:typo'}}");
        await harness.UntilAsync(
            () => harness.Cluster()?.Status is { Phase: "Degraded: image", Primary: "demo-compute-3" } && OperatorHarness.Is(harness.Cluster(), ConditionTypes.Ready),
            () => $"PostgreSQL goes on: {harness.Cluster()?.Status?.Phase} {harness.Cluster()?.Status?.Primary}");
        Assert.Contains("goes on with redoubt-compute:1-pg17", harness.Cluster()!.Status!.Message, StringComparison.Ordinal);
        harness.Apply("{storage: {copies: 1}, images: {compute: 'redoubt-compute:2'}}");
        await harness.UntilAsync(() => harness.Cluster()?.Status?.ComputeImage == "redoubt-compute:2", () => "another image is tried");
        await harness.ReadyAsync();
        Assert.Null(harness.Cluster()!.Status!.FailedComputeImage);
    }

    [Fact]
    public async Task A_size_that_the_volumes_cannot_have_can_be_written_back()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 1, size: 1Gi}}");
        await harness.ReadyAsync();
        var storageClass = harness.Registry.Get(BuiltInTypes.StorageClasses, "", "standard").Clone();
        storageClass["allowVolumeExpansion"] = false;
        harness.Registry.Update(BuiltInTypes.StorageClasses, "", "standard", storageClass, "", new WriteOptions("somebody"));
        harness.Apply("{storage: {copies: 1, size: 2Gi}}");
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Phase == "Degraded: size", () => $"the size shows: {harness.Cluster()?.Status?.Phase}");
        Assert.Contains("write 1Gi into spec.storage.size", harness.Cluster()!.Status!.Message, StringComparison.Ordinal);
        harness.Apply("{storage: {copies: 1, size: 1Gi}}");
        await harness.ReadyAsync();
        Assert.Contains("cannot shrink", Assert.Throws<ApiException>(() => harness.Apply("{storage: {copies: 1, size: 512Mi}}")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PostgreSQL_that_ends_inside_its_pod_is_told_with_its_last_words()
    {
        await using var harness = await OperatorHarness.StartAsync();
        harness.Apply("{storage: {copies: 1}}");
        await harness.ReadyAsync();
        harness.Node.Reopen("demo-compute-1");
        harness.Node.More["demo-compute-1"] = new JsonObject { ["lastWords"] = "postgres was killed by signal 9: it used too much memory" };
        await harness.UntilAsync(() => harness.Events("PostgresRestarted").Any(e => e.Text("message")!.Contains("killed by signal 9", StringComparison.Ordinal)), () => "an event tells it");
        await harness.ReadyAsync();
        Assert.Equal("demo-compute-1", harness.Cluster()!.Status!.Primary);
        Assert.Single(harness.Events("PostgresRestarted"));
    }
}
