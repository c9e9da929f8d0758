using Redoubt.TestCluster.Api;

namespace Redoubt.TestCluster.Tests;

/// <summary>The real kubectl is content with the server.</summary>
public sealed class KubectlTests
{
    private const string Cluster = """
        apiVersion: redoubt.dev/v1alpha1
        kind: DatabaseCluster
        metadata: {name: demo}
        spec: {storage: {copies: 1, size: 1Gi}}
        """;

    [Fact]
    public async Task Apply_get_describe_explain_and_delete_work_on_custom_resources()
    {
        await using var api = await ApiFixture.StartAsync(withCrd: true);
        var (exit, output) = await api.KubectlAsync("apply -f -", Cluster);
        Assert.True(exit == 0 && output.Contains("databasecluster.redoubt.dev/demo created"), output);
        (_, output) = await api.KubectlAsync("apply -f -", Cluster.Replace("1Gi", "2Gi"));
        Assert.Contains("demo configured", output);
        (_, output) = await api.KubectlAsync("apply --server-side -f -", Cluster.Replace("1Gi", "2Gi"));
        Assert.Contains("demo serverside-applied", output);
        (exit, output) = await api.KubectlAsync("""patch dbc demo --subresource=status --type=merge -p {\"status\":{\"storageSize\":\"2Gi\"}}""");
        Assert.True(exit == 0, output);
        (exit, output) = await api.KubectlAsync("apply -f -", Cluster.Replace("1Gi", "1.5Gi"));
        Assert.True(exit != 0 && output.Contains("cannot shrink"), output);
        (exit, output) = await api.KubectlAsync("apply -f -", Cluster.Replace("size", "sise"));
        Assert.True(exit != 0 && output.Contains("unknown field \"spec.storage.sise\""), output);
        (_, output) = await api.KubectlAsync("get dbc");
        Assert.Matches("NAME +STATUS +PRIMARY +SEGMENTS +EPOCH +AGE\ndemo ", output);
        (_, output) = await api.KubectlAsync("describe dbc demo");
        Assert.Contains("Deletion Policy:", output);
        (_, output) = await api.KubectlAsync("get dbc demo -o jsonpath={.spec.storage.size}");
        Assert.Equal("2Gi", output);
        (exit, output) = await api.KubectlAsync("explain dbc.spec.storage.size");
        Assert.True(exit == 0 && output.Contains("May grow"), output);
        (exit, output) = await api.KubectlAsync("delete dbc demo");
        Assert.True(exit == 0 && output.Contains("deleted"), output);
        (_, output) = await api.KubectlAsync("get dbc");
        Assert.Contains("No resources found", output);
    }

    [Fact]
    public async Task Apply_merges_built_in_kinds_strategically()
    {
        await using var api = await ApiFixture.StartAsync();
        const string Service = """
            apiVersion: v1
            kind: Service
            metadata: {name: web, labels: {a: "1", b: "1"}}
            spec: {selector: {app: web}, ports: [{name: http, port: 80}, {name: more, port: 81}]}
            """;
        Assert.Equal(0, (await api.KubectlAsync("apply -f -", Service)).Exit);
        var (exit, output) = await api.KubectlAsync("apply -f -", Service.Replace(", {name: more, port: 81}", "").Replace(", b: \"1\"", ""));
        Assert.True(exit == 0, output);
        (_, output) = await api.KubectlAsync("get svc web -o jsonpath={.spec.ports[*].name}/{.metadata.labels}/{.spec.type}");
        Assert.Equal("http/{\"a\":\"1\"}/ClusterIP", output);
        (exit, output) = await api.KubectlAsync("get all,nodes,events,pvc,secrets -A");
        Assert.True(exit == 0 && output.Contains("service/web"), output);
    }

    /// <summary>kubectl sends these in protobuf where it can.</summary>
    [Fact]
    public async Task Create_makes_built_in_kinds_as_they_were_written()
    {
        await using var api = await ApiFixture.StartAsync();
        foreach (var create in (string[])[
            "namespace apps", "-n apps secret generic password --from-literal=password=s3cret", "-n apps configmap settings --from-literal=a=1 --from-literal=b=two",
            "-n apps serviceaccount worker"])
        {
            var (exit, output) = await api.KubectlAsync("create " + create);
            Assert.True(exit == 0 && output.Contains("created"), output);
        }
        Assert.Equal("s3cret", System.Text.Encoding.UTF8.GetString(Convert.FromBase64String((await api.KubectlAsync("-n apps get secret password -o jsonpath={.data.password}")).Output)));
        Assert.Equal("1two", (await api.KubectlAsync("-n apps get configmap settings -o jsonpath={.data.a}{.data.b}")).Output);
        Assert.Equal("worker", (await api.KubectlAsync("-n apps get serviceaccount worker -o jsonpath={.metadata.name}")).Output);
        var deleted = await api.KubectlAsync("delete namespace apps --wait=false");
        Assert.True(deleted.Exit == 0, deleted.Output);
        Assert.Equal("Terminating", (await api.KubectlAsync("get namespace apps -o jsonpath={.status.phase}")).Output);
    }

    /// <summary>The bytes that a Go client sends for a Secret: envelope, type, and the object with labels, bytes and an owner.</summary>
    [Fact]
    public async Task A_protobuf_body_is_read_as_the_JSON_of_the_same_object()
    {
        await using var api = await ApiFixture.StartAsync();
        static byte[] Part(int field, params byte[] content) => [(byte)((field << 3) | 2), (byte)content.Length, .. content];
        static byte[] Text(int field, string text) => Part(field, System.Text.Encoding.UTF8.GetBytes(text));
        byte[] owner = [.. Text(1, "Node"), .. Text(3, "n"), .. Text(4, "u"), .. Text(5, "v1"), 6 << 3, 1];
        byte[] metadata = [.. Text(1, "proto"), .. Text(3, "default"), .. Part(8), .. Part(11, [.. Text(1, "app"), .. Text(2, "web")]), .. Part(13, owner)];
        byte[] secret = [.. Part(1, metadata), .. Part(2, [.. Text(1, "key"), .. Part(2, 0, 255, 7)]), .. Text(3, "Opaque"), 5 << 3, 1];
        byte[] body = [.. "k8s\0"u8, .. Part(1, [.. Text(1, "v1"), .. Text(2, "Secret")]), .. Part(2, secret)];
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = new("application/vnd.kubernetes.protobuf");
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(api.Client.BaseUri, "api/v1/namespaces/default/secrets")) { Content = content };
        request.Headers.Authorization = new("Bearer", api.Server.Authorizer.AdminToken);
        using var response = await api.Client.HttpClient.SendAsync(request);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        var stored = api.Registry.Get(BuiltInTypes.Secrets, "default", "proto");
        Assert.Equal("AP8H", stored.Text("data", "key"));
        Assert.Equal("web", stored.Text("metadata", "labels", "app"));
        Assert.True(stored.Flag("immutable"));
        Assert.Equal("Node", stored.Objects("metadata", "ownerReferences").Single().Text("kind"));
    }
}
