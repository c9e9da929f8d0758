using System.Text.Json.Nodes;
using k8s;
using k8s.Autorest;
using k8s.Models;
using Redoubt.TestCluster.Api;

namespace Redoubt.TestCluster.Tests;

public sealed class ApiSemanticsTests
{
    private static V1ConfigMap Map(string name, string? value = "1", string? labels = null) => new()
    {
        Metadata = new V1ObjectMeta { Name = name, Labels = labels is null ? null : new Dictionary<string, string> { ["app"] = labels } },
        Data = new Dictionary<string, string> { ["a"] = value! },
    };

    private static async Task<string> RefusalAsync(Func<Task> act, int code)
    {
        var e = await Assert.ThrowsAsync<HttpOperationException>(act);
        Assert.Equal(code, (int)e.Response.StatusCode);
        return JsonNode.Parse(e.Response.Content)!["message"]!.GetValue<string>();
    }

    [Fact]
    public async Task A_stale_write_is_a_conflict_and_an_unchanged_write_makes_no_revision()
    {
        await using var api = await ApiFixture.StartAsync();
        var created = await api.Client.CreateNamespacedConfigMapAsync(Map("m"), "default");
        created.Data["a"] = "2";
        var updated = await api.Client.ReplaceNamespacedConfigMapAsync(created, "m", "default");
        Assert.NotEqual(created.ResourceVersion(), updated.ResourceVersion());
        created.Data["a"] = "3";
        Assert.Contains("has been modified", await RefusalAsync(() => api.Client.ReplaceNamespacedConfigMapAsync(created, "m", "default"), 409));
        var same = await api.Client.ReplaceNamespacedConfigMapAsync(updated, "m", "default");
        Assert.Equal(updated.ResourceVersion(), same.ResourceVersion());
    }

    [Fact]
    public async Task A_watch_continues_at_its_revision_and_is_gone_after_compaction()
    {
        await using var api = await ApiFixture.StartAsync();
        var list = await api.Client.ListNamespacedConfigMapAsync("default");
        await api.Client.CreateNamespacedConfigMapAsync(Map("a", labels: "x"), "default");
        await api.Client.CreateNamespacedConfigMapAsync(Map("b", labels: "y"), "default");
        var seen = new List<string>();
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        await foreach (var (type, item) in api.Client.CoreV1.WatchListNamespacedConfigMapAsync(
                           "default", labelSelector: "app=x", resourceVersion: list.ResourceVersion(), cancellationToken: timeout.Token))
        {
            seen.Add($"{type} {item.Name()}");
            if (seen.Count == 1)
            {
                item.Labels()["app"] = "z"; // leaves the selection: deleted, for this watcher
                await api.Client.ReplaceNamespacedConfigMapAsync(item, "a", "default");
            }
            else
            {
                break;
            }
        }
        Assert.Equal(["Added a", "Deleted a"], seen);
        api.Registry.Store.Compact();
        Exception? gone = null;
        await foreach (var _ in api.Client.CoreV1.WatchListNamespacedConfigMapAsync(
                           "default", resourceVersion: list.ResourceVersion(), onError: e => gone = e, cancellationToken: timeout.Token))
        {
            Assert.Fail("an event from before the compaction");
        }
        var status = Assert.IsType<KubernetesException>(gone).Status;
        Assert.Equal((410, "Expired"), (status.Code, status.Reason));
    }

    [Fact]
    public async Task Lists_come_in_pages_of_one_revision()
    {
        await using var api = await ApiFixture.StartAsync();
        for (var i = 0; i < 5; i++)
        {
            await api.Client.CreateNamespacedConfigMapAsync(Map($"m{i}"), "default");
        }
        var first = await api.Client.ListNamespacedConfigMapAsync("default", limit: 2);
        await api.Client.DeleteNamespacedConfigMapAsync("m4", "default");
        var second = await api.Client.ListNamespacedConfigMapAsync("default", limit: 2, continueParameter: first.Metadata.ContinueProperty);
        var third = await api.Client.ListNamespacedConfigMapAsync("default", limit: 2, continueParameter: second.Metadata.ContinueProperty);
        Assert.Equal(["m0", "m1", "m2", "m3", "m4"], first.Items.Concat(second.Items).Concat(third.Items).Select(i => i.Name()));
        Assert.Equal(first.ResourceVersion(), third.ResourceVersion());
        await RefusalAsync(() => api.Client.ListNamespacedConfigMapAsync("default", continueParameter: first.Metadata.ContinueProperty), 410);
    }

    [Fact]
    public async Task Finalizers_hold_an_object_and_owners_take_their_dependents_along()
    {
        await using var api = await ApiFixture.StartAsync();
        var owner = Map("owner");
        owner.Metadata.Finalizers = ["redoubt.dev/test"];
        owner = await api.Client.CreateNamespacedConfigMapAsync(owner, "default");
        await api.Client.DeleteNamespacedConfigMapAsync("owner", "default");
        var dying = await api.Client.ReadNamespacedConfigMapAsync("owner", "default");
        Assert.NotNull(dying.Metadata.DeletionTimestamp);
        dying.Metadata.Finalizers.Add("redoubt.dev/second");
        Assert.Contains("no new finalizers", await RefusalAsync(() => api.Client.ReplaceNamespacedConfigMapAsync(dying, "owner", "default"), 422));
        dying.Metadata.Finalizers = null;
        await api.Client.ReplaceNamespacedConfigMapAsync(dying, "owner", "default");
        await RefusalAsync(() => api.Client.ReadNamespacedConfigMapAsync("owner", "default"), 404);
    }

    private const string PodYaml = """
        apiVersion: v1
        kind: Pod
        metadata: {name: p, labels: {app: x}}
        spec:
          containers:
          - {name: c, image: "img:1", env: [{name: A, value: "1"}], ports: [{containerPort: 80}]}
        """;

    [Fact]
    public async Task Applies_own_fields_conflict_over_them_and_drop_what_they_name_no_more()
    {
        await using var api = await ApiFixture.StartAsync();
        Task<V1ConfigMap> Apply(string manager, string body, bool force = false) => api.Client.PatchNamespacedConfigMapAsync(
            new V1Patch(body, V1Patch.PatchType.ApplyPatch), "m", "default", fieldManager: manager, force: force);
        static string Body(string data) => $$"""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{{data}}}""";
        var first = await Apply("one", Body("""{"a":"1","b":"1"}"""));
        var again = await Apply("one", Body("""{"a":"1","b":"1"}"""));
        Assert.Equal(first.ResourceVersion(), again.ResourceVersion());
        Assert.Contains("conflict with \"one\": .data.a", await RefusalAsync(() => Apply("two", Body("""{"a":"2","c":"2"}""")), 409));
        await Apply("two", Body("""{"a":"2","c":"2"}"""), force: true);
        var result = await Apply("one", Body("""{"b":"1"}"""));
        Assert.Equal("a=2 b=1 c=2", string.Join(' ', result.Data.OrderBy(d => d.Key).Select(d => $"{d.Key}={d.Value}")));
        result = await Apply("two", Body("""{"a":"2"}"""));
        Assert.Equal("a=2 b=1", string.Join(' ', result.Data.OrderBy(d => d.Key).Select(d => $"{d.Key}={d.Value}")));
        result = await Apply("one", Body("{}"));
        Assert.Equal("a=2", string.Join(' ', result.Data.OrderBy(d => d.Key).Select(d => $"{d.Key}={d.Value}")));
    }

    [Fact]
    public async Task A_pod_can_be_applied_twice_without_a_change_and_its_spec_is_immutable()
    {
        await using var api = await ApiFixture.StartAsync();
        var options = new WriteOptions("op") { Force = true };
        var (pod, created) = api.Registry.Apply(BuiltInTypes.Pods, "default", "p", ApiFixture.Manifest(PodYaml), "", options);
        Assert.True(created);
        var (again, _) = api.Registry.Apply(BuiltInTypes.Pods, "default", "p", ApiFixture.Manifest(PodYaml), "", options);
        Assert.Equal(pod["metadata"]!["resourceVersion"]!.ToString(), again["metadata"]!["resourceVersion"]!.ToString());
        var (image, _) = api.Registry.Apply(BuiltInTypes.Pods, "default", "p", ApiFixture.Manifest(PodYaml.Replace("img:1", "img:2")), "", options);
        Assert.Equal(2, long.Parse(image["metadata"]!["generation"]!.ToString()));
        var refusal = Assert.Throws<ApiException>(() => api.Registry.Apply(
            BuiltInTypes.Pods, "default", "p", ApiFixture.Manifest(PodYaml.Replace("value: \"1\"", "value: \"2\"")), "", options));
        Assert.Equal(422, refusal.Code);
        Assert.Contains("pod updates may not change fields", refusal.Message);
    }

    [Theory]
    [InlineData("imagee: x", "unknown field \"spec.containers[0].imagee\"")]
    [InlineData("resources: {limits: {cpu: lots}}", "quantity")]
    [InlineData("volumeMounts: [{name: nope, mountPath: /x}]", "Not found: \"nope\"")]
    [InlineData("ports: [{containerPort: 80, name: much-too-long-a-name}]", "15 characters")]
    [InlineData("readinessProbe: {}", "exactly one handler")]
    [InlineData("env: [{name: A, value: 1}]", "must be of type string")]
    public async Task Bad_pods_are_refused_as_a_real_server_does(string field, string reason)
    {
        await using var api = await ApiFixture.StartAsync();
        var yaml = $$"""
            apiVersion: v1
            kind: Pod
            metadata: {name: p}
            spec: {containers: [{name: c, image: "i:1", {{field}}}]}
            """;
        Assert.Contains(reason, Assert.Throws<ApiException>(() =>
            api.Registry.Create(BuiltInTypes.Pods, "default", ApiFixture.Manifest(yaml), new WriteOptions("t"))).Message);
    }

    [Fact]
    public async Task Names_are_validated_and_generated()
    {
        await using var api = await ApiFixture.StartAsync();
        Assert.Contains("RFC 1123", await RefusalAsync(() => api.Client.CreateNamespacedConfigMapAsync(Map("Upper_Case"), "default"), 422));
        var service = new V1Service { Metadata = new V1ObjectMeta { Name = "1abc" }, Spec = new V1ServiceSpec { Ports = [new V1ServicePort { Port = 80 }] } };
        Assert.Contains("DNS-1035", await RefusalAsync(() => api.Client.CreateNamespacedServiceAsync(service, "default"), 422));
        var generated = await api.Client.CreateNamespacedConfigMapAsync(
            new V1ConfigMap { Metadata = new V1ObjectMeta { GenerateName = "gen-" } }, "default");
        Assert.Matches("^gen-[a-z0-9]{5}$", generated.Name());
        await RefusalAsync(() => api.Client.CreateNamespacedConfigMapAsync(Map("x"), "no-such-namespace"), 404);
    }

    [Fact]
    public async Task Status_and_spec_are_written_apart_and_only_the_spec_counts_generations()
    {
        await using var api = await ApiFixture.StartAsync(withCrd: true);
        var type = api.DatabaseClusters;
        var cluster = ApiFixture.Manifest("""
            apiVersion: redoubt.dev/v1alpha1
            kind: DatabaseCluster
            metadata: {name: demo}
            spec: {storage: {copies: 3}}
            status: {phase: forged}
            """);
        var options = new WriteOptions("t");
        var created = api.Registry.Create(type, "default", cluster, options);
        Assert.Null(created["status"]);
        Assert.Equal("10Gi", (string?)created["spec"]!["storage"]!["size"]); // defaulted
        var withStatus = (JsonObject)created.DeepClone();
        withStatus["status"] = new JsonObject { ["phase"] = "Ready" };
        withStatus["spec"]!["storage"]!["size"] = "20Gi";
        var updated = api.Registry.Update(type, "default", "demo", withStatus, "status", options);
        Assert.Equal(("Ready", "10Gi", 1L), ((string?)updated["status"]!["phase"], (string?)updated["spec"]!["storage"]!["size"], long.Parse(updated["metadata"]!["generation"]!.ToString())));
        withStatus["metadata"]!["resourceVersion"] = updated["metadata"]!["resourceVersion"]!.DeepClone();
        withStatus.Remove("status");
        updated = api.Registry.Update(type, "default", "demo", withStatus, "", options);
        Assert.Equal(("Ready", "20Gi", 2L), ((string?)updated["status"]!["phase"], (string?)updated["spec"]!["storage"]!["size"], long.Parse(updated["metadata"]!["generation"]!.ToString())));
    }

    [Theory]
    [InlineData("storage: {copies: 5}", "must be 6")]
    [InlineData("storage: {sise: 1Gi}", "unknown field \"spec.storage.sise\"")]
    [InlineData("postgres: {version: 16}", "write 17 or 18")]
    [InlineData("postgres: {parameters: {fsync: \"off\"}}", "fsync is fixed")]
    [InlineData("deletionPolicy: Sometimes", "supported values: \"Retain\", \"Delete\"")]
    public async Task The_real_CRD_refuses_bad_clusters_with_its_own_sentences(string spec, string reason)
    {
        await using var api = await ApiFixture.StartAsync(withCrd: true);
        var yaml = $$"""
            apiVersion: redoubt.dev/v1alpha1
            kind: DatabaseCluster
            metadata: {name: demo}
            spec: {{{spec}}}
            """;
        Assert.Contains(reason, Assert.Throws<ApiException>(() =>
            api.Registry.Create(api.DatabaseClusters, "default", ApiFixture.Manifest(yaml), new WriteOptions("t"))).Message);
    }

    [Fact]
    public async Task A_service_account_may_do_only_what_its_roles_allow()
    {
        await using var api = await ApiFixture.StartAsync();
        using var client = api.ClientWith(api.Server.Authorizer.Issue("default", "default"));
        Assert.Contains("cannot list resource \"pods\"", await RefusalAsync(() => client.ListNamespacedPodAsync("default"), 403));
        foreach (var yaml in (string[])["""
            apiVersion: rbac.authorization.k8s.io/v1
            kind: Role
            metadata: {name: r}
            rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]
            """, """
            apiVersion: rbac.authorization.k8s.io/v1
            kind: RoleBinding
            metadata: {name: r}
            roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
            subjects: [{kind: ServiceAccount, name: default, namespace: default}]
            """])
        {
            var o = ApiFixture.Manifest(yaml);
            api.Registry.Create(api.Registry.FindKind((string?)o["apiVersion"], (string?)o["kind"])!, "default", o, new WriteOptions("t"));
        }
        Assert.Empty((await client.ListNamespacedPodAsync("default")).Items);
        await RefusalAsync(() => client.ListNamespacedPodAsync("kube-system"), 403);
        await RefusalAsync(() => client.DeleteNamespacedPodAsync("p", "default"), 403);
    }

    [Fact]
    public async Task Injected_faults_hit_requests_and_dropped_watches_end()
    {
        await using var api = await ApiFixture.StartAsync();
        api.Server.Faults.FailNext(1, 503, (method, _) => method == "POST");
        await RefusalAsync(() => api.Client.CreateNamespacedConfigMapAsync(Map("m"), "default"), 503);
        await api.Client.CreateNamespacedConfigMapAsync(Map("m"), "default");
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var events = 0;
        await foreach (var _ in api.Client.CoreV1.WatchListNamespacedConfigMapAsync("default", cancellationToken: timeout.Token))
        {
            events++;
            api.Registry.Store.DropWatches();
        }
        Assert.Equal(1, events);
    }

    [Fact]
    public async Task Restricted_namespaces_refuse_pods_that_are_not()
    {
        await using var api = await ApiFixture.StartAsync();
        await api.Client.CreateNamespaceAsync(new V1Namespace
        {
            Metadata = new V1ObjectMeta { Name = "strict", Labels = new Dictionary<string, string> { ["pod-security.kubernetes.io/enforce"] = "restricted" } },
        });
        var refusal = Assert.Throws<ApiException>(() => api.Registry.Create(BuiltInTypes.Pods, "strict", ApiFixture.Manifest(PodYaml), new WriteOptions("t")));
        Assert.Equal(403, refusal.Code);
        Assert.Contains("runAsNonRoot != true", refusal.Message);
    }
}
