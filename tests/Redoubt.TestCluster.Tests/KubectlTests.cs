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
        Assert.True(exit == 0 && output.Contains("May grow, never shrink"), output);
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
}
