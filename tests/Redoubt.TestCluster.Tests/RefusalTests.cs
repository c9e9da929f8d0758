using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using Redoubt.TestCluster.Api;
using Redoubt.TestCluster.Controllers;

namespace Redoubt.TestCluster.Tests;

/// <summary>The test cluster refuses and fails where a real one was seen to.</summary>
public sealed class RefusalTests
{
    private const string Owned = """
        apiVersion: v1
        kind: Pod
        metadata:
          name: p
          namespace: default
          labels: {app: a}
          ownerReferences: [{apiVersion: redoubt.dev/v1alpha1, kind: DatabaseCluster, name: d, uid: u, controller: true}]
        spec: {containers: [{name: c, image: i}]}
        """;

    private static JsonObject Create(ApiFixture api, string yaml)
    {
        var value = ApiFixture.Manifest(yaml);
        return api.Registry.Create(api.Registry.FindKind(value.Text("apiVersion"), value.Text("kind"))!, value.Namespace(), value, new WriteOptions("test"));
    }

    private static string Budget(string amount) => $"{{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {{name: b, namespace: default}}, spec: {{{amount}, selector: {{matchLabels: {{app: a}}}}}}}}";

    [Theory]
    [InlineData("maxUnavailable: 1")]
    [InlineData("minAvailable: 50%")]
    public async Task A_budget_that_needs_the_scale_of_an_owner_without_one_allows_nothing_and_says_so(string amount)
    {
        await using var api = await ApiFixture.StartAsync(withCrd: true);
        var pod = Create(api, Owned);
        Create(api, Budget(amount));
        api.Registry.SetStatusForTest(BuiltInTypes.Pods, pod, new JsonObject { ["phase"] = "Running", ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True" }) });
        new DisruptionBudgets(api.Registry).Reconcile();
        var status = api.Registry.Get(BuiltInTypes.DisruptionBudgets, "default", "b");
        Assert.Equal(0, status.Integer("status", "disruptionsAllowed"));
        Assert.Equal("SyncFailed", status.Objects("status", "conditions").Single().Text("reason"));
        Assert.Contains(api.Registry.List(BuiltInTypes.Events, "default"), e => e.Text("reason") == "CalculateExpectedPodCountFailed" && e.Text("message")!.Contains("does not implement the scale subresource", StringComparison.Ordinal));
        Assert.Equal(429, Assert.Throws<ApiException>(() => api.Registry.Evict("default", "p", new DeleteOptions())).Code);
    }

    [Fact]
    public async Task A_budget_with_a_number_counts_pods_and_lets_pods_that_have_not_started_go()
    {
        await using var api = await ApiFixture.StartAsync(withCrd: true);
        var pod = Create(api, Owned);
        Create(api, Budget("minAvailable: 0"));
        api.Registry.SetStatusForTest(BuiltInTypes.Pods, pod, new JsonObject { ["phase"] = "Running", ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True" }) });
        new DisruptionBudgets(api.Registry).Reconcile();
        Assert.Equal(1, api.Registry.Get(BuiltInTypes.DisruptionBudgets, "default", "b").Integer("status", "disruptionsAllowed"));
        api.Registry.Evict("default", "p", new DeleteOptions());

        Create(api, Owned); // Pending
        Assert.Equal(0, api.Registry.Get(BuiltInTypes.DisruptionBudgets, "default", "b").Integer("status", "disruptionsAllowed"));
        api.Registry.Evict("default", "p", new DeleteOptions());
    }

    [Theory]
    [InlineData("pods: '1'", "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1")]
    [InlineData("limits.cpu: '1'", "failed quota: q: must specify limits.cpu for: c")]
    public async Task A_quota_refuses_what_it_has_no_room_for(string hard, string words)
    {
        await using var api = await ApiFixture.StartAsync();
        var pod = new V1Pod { Metadata = new V1ObjectMeta { GenerateName = "p-" }, Spec = new V1PodSpec { Containers = [new V1Container { Name = "c", Image = "i" }] } };
        await api.Client.CreateNamespacedPodAsync(pod, "default");
        Create(api, $"{{apiVersion: v1, kind: ResourceQuota, metadata: {{name: q, namespace: default}}, spec: {{hard: {{{hard}}}}}}}");
        var refusal = await Assert.ThrowsAsync<k8s.Autorest.HttpOperationException>(() => api.Client.CreateNamespacedPodAsync(pod, "default"));
        Assert.Equal(403, (int)refusal.Response.StatusCode);
        Assert.Contains(words, refusal.Response.Content, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_namespace_that_is_being_deleted_takes_nothing_new_and_gives_the_cause()
    {
        await using var api = await ApiFixture.StartAsync();
        Create(api, "{apiVersion: v1, kind: Namespace, metadata: {name: going}}");
        api.Registry.Delete(BuiltInTypes.Namespaces, "", "going", new DeleteOptions());
        var refusal = Assert.Throws<ApiException>(() => Create(api, "{apiVersion: v1, kind: ConfigMap, metadata: {name: m, namespace: going}}"));
        Assert.Equal((403, "NamespaceTerminating"), (refusal.Code, refusal.Status.Objects("details", "causes").Single().Text("reason")));
    }

    [Theory]
    [InlineData(Outage.Gone)]
    [InlineData(Outage.HalfOpen)]
    public async Task A_server_that_is_away_answers_nobody_until_it_is_back(Outage outage)
    {
        await using var api = await ApiFixture.StartAsync();
        api.Server.Faults.Outage = outage;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await Assert.ThrowsAnyAsync<Exception>(() => api.Client.ListNodeAsync(cancellationToken: limit.Token));
        Assert.Equal(outage == Outage.HalfOpen, limit.IsCancellationRequested);
        api.Server.Faults.Outage = null;
        Assert.Empty((await api.Client.ListNodeAsync()).Items);
    }

    [Fact]
    public async Task Roles_of_people_gather_what_others_add()
    {
        await using var api = await ApiFixture.StartAsync(withCrd: true);
        Create(api, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: s, namespace: default}}");
        Create(api, "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: b, namespace: default}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [{kind: ServiceAccount, name: s, namespace: default}]}");
        using var client = api.ClientWith(api.Server.Authorizer.Issue("default", "s"));
        Task ListAsync() => client.ListNamespacedCustomObjectAsync("redoubt.dev", "v1alpha1", "default", "databaseclusters");
        await Assert.ThrowsAsync<k8s.Autorest.HttpOperationException>(ListAsync);
        Create(api, "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: more, labels: {rbac.authorization.k8s.io/aggregate-to-view: 'true'}}, rules: [{apiGroups: [redoubt.dev], resources: [databaseclusters], verbs: [list]}]}");
        await ListAsync();
    }

    [Fact]
    public async Task Beside_a_wrong_type_it_says_that_rules_were_not_checked()
    {
        await using var api = await ApiFixture.StartAsync(withCrd: true);
        var refusal = Assert.Throws<ApiException>(() => Create(api, "{apiVersion: redoubt.dev/v1alpha1, kind: DatabaseCluster, metadata: {name: d, namespace: default}, spec: {storage: {copies: '3'}}}"));
        Assert.Contains("some validation rules were not checked", refusal.Message, StringComparison.Ordinal);
    }
}
