using System.Text;
using Redoubt.Operator.Planning;
using Redoubt.Operator.Tests.Chart;
using Redoubt.TestCluster;
using Redoubt.TestCluster.Api;

namespace Redoubt.Operator.Tests.Runtime;

/// <summary>What people see with the real kubectl while a cluster is made, breaks, heals and goes.</summary>
public sealed class KubectlTests
{
    [Fact]
    public async Task Get_and_describe_tell_the_story_of_a_cluster()
    {
        await using var harness = await OperatorHarness.StartAsync();
        using var kubectl = await Kubectl.OfAsync(harness);

        Assert.Contains("created", await kubectl.RunWithAsync(
            "---\n{apiVersion: redoubt.dev/v1alpha1, kind: DatabaseCluster, metadata: {name: demo}, spec: {storage: {copies: 3}}}", "apply", "-f", "-"), StringComparison.Ordinal);
        await harness.ReadyAsync();
        Assert.Matches(@"NAME\s+STATUS\s+PRIMARY\s+SEGMENTS\s+EPOCH\s+AGE", await kubectl.RunAsync("get", "dbc"));
        Assert.Matches(@"demo\s+Ready\s+demo-compute-1\s+3/3\s+\d+\s+", await kubectl.RunAsync("get", "dbc"));

        harness.Node.Kill("demo-compute-1", 137);
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Primary == "demo-compute-2", () => "compute is replaced");
        await harness.ReadyAsync();
        Assert.Matches(@"demo\s+Ready\s+demo-compute-2\s+3/3\s+\d+\s+", await kubectl.RunAsync("get", "dbc"));

        harness.Node.SegmentStates["demo-storage-1"] = "repairing";
        await harness.UntilAsync(() => harness.Cluster()?.Status?.SegmentsReady == "2/3", () => "one is being repaired");
        Assert.Contains("Degraded: segments", await kubectl.RunAsync("get", "dbc"), StringComparison.Ordinal);
        Assert.Contains("Ready, 2 of 3 segments complete", await kubectl.RunAsync("get", "dbc", "-o", "wide"), StringComparison.Ordinal);
        harness.Node.SegmentStates["demo-storage-1"] = "complete";
        await harness.ReadyAsync();
        await harness.UntilAsync(
            () => harness.Registry.List(BuiltInTypes.Events, "default").Any(e => e.ToJsonString().Contains("StorageHealed", StringComparison.Ordinal)), () => "the last event");

        var story = await kubectl.RunAsync("describe", "dbc", "demo");
        foreach (var word in (string[])["ComputeStarted", "ComputeEnded", "NotReady", "StorageDegraded", "StorageHealed", "ended by signal 9 (exit status 137)", "Accepts", "Volume Id"])
        {
            Assert.Contains(word, story, StringComparison.OrdinalIgnoreCase);
        }

        Assert.Equal(3, harness.Pods(Names.Storage).Count);
    }

    [Fact]
    public async Task The_minimal_example_is_applied_waited_for_changed_and_deleted()
    {
        await using var harness = await OperatorHarness.StartAsync();
        using var kubectl = await Kubectl.OfAsync(harness);
        var example = Repository.PathOf("examples", "minimal.yaml");

        Assert.Contains("databasecluster.redoubt.dev/demo created", await kubectl.RunAsync("apply", "-f", example), StringComparison.Ordinal);
        Assert.Contains("condition met", await kubectl.RunAsync("wait", "--for=condition=Ready", "dbc/demo", "--timeout=80s"), StringComparison.Ordinal);
        Assert.Contains("unchanged", await kubectl.RunAsync("apply", "-f", example), StringComparison.Ordinal);
        var uri = Encoding.UTF8.GetString(Convert.FromBase64String(await kubectl.RunAsync("get", "secret", "demo-app", "-o", "jsonpath={.data.uri}")));
        Assert.StartsWith("postgresql://", uri, StringComparison.Ordinal);
        Assert.Contains("patched", await kubectl.RunAsync("patch", "dbc", "demo", "--type=merge", "-p", """{"spec":{"postgres":{"parameters":{"work_mem":"8MB"}}}}"""), StringComparison.Ordinal);
        await harness.UntilAsync(
            () => harness.Registry.TryGet(BuiltInTypes.ConfigMaps, "default", "demo-postgres").Text("data", "parameters.conf")?.Contains("work_mem = '8MB'", StringComparison.Ordinal) == true,
            () => "the parameter is handed on");

        // kubectl waits until the finalizer lets go.
        Assert.Contains("deleted", await kubectl.RunAsync("delete", "-f", example, "--timeout=80s"), StringComparison.Ordinal);
        Assert.Null(harness.Cluster());
        Assert.Empty((await kubectl.RunAsync("get", "pods", "-o", "name")).Trim());
        Assert.Contains("demo-storage-0", await kubectl.RunAsync("get", "pvc", "-o", "name"), StringComparison.Ordinal); // the default policy keeps data
    }

    /// <summary>kubectl with a configuration for the harness's server.</summary>
    private sealed class Kubectl : IDisposable
    {
        private readonly string program;
        private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("redoubt-kubectl");

        private Kubectl(string program) => this.program = program;

        private string Configuration => Path.Combine(folder.FullName, "config");

        public static async Task<Kubectl> OfAsync(OperatorHarness harness)
        {
            var kubectl = new Kubectl(await Tools.KubectlAsync());
            await File.WriteAllTextAsync(kubectl.Configuration, harness.Server.Kubeconfig());
            return kubectl;
        }

        public Task<string> RunAsync(params string[] arguments) => RunWithAsync(null, arguments);

        public async Task<string> RunWithAsync(string? input, params string[] arguments)
        {
            var (exitCode, output, errors) = await Tools.RunAsync(
                program, folder.FullName, input, ["--kubeconfig", Configuration, "--cache-dir", Path.Combine(folder.FullName, "cache"), .. arguments]);
            Assert.True(exitCode == 0, $"kubectl {string.Join(' ', arguments)}: {output}{errors}");
            return output;
        }

        public void Dispose() => folder.Delete(recursive: true);
    }
}
