using Redoubt.Operator.Planning;
using Redoubt.Operator.Tests.Chart;

namespace Redoubt.Operator.Tests.Runtime;

/// <summary>What people see with the real kubectl while a cluster is made, breaks and heals.</summary>
public sealed class KubectlTests
{
    [Fact]
    public async Task Get_and_describe_tell_the_story_of_a_cluster()
    {
        var kubectl = await Tools.KubectlAsync();
        await using var harness = await OperatorHarness.StartAsync();
        var folder = Directory.CreateTempSubdirectory("redoubt-kubectl");
        try
        {
            var kubeconfig = Path.Combine(folder.FullName, "config");
            await File.WriteAllTextAsync(kubeconfig, harness.Server.Kubeconfig());

            Assert.Contains("created", await KubectlAsync("apply", "-f", "-"), StringComparison.Ordinal);
            await harness.ReadyAsync();
            Assert.Matches(@"NAME\s+STATUS\s+PRIMARY\s+SEGMENTS\s+EPOCH\s+AGE", await KubectlAsync("get", "dbc"));
            Assert.Matches(@"demo\s+Ready\s+demo-compute-1\s+3/3\s+\d+\s+", await KubectlAsync("get", "dbc"));

            harness.Node.Kill("demo-compute-1", 137);
            await harness.UntilAsync(() => harness.Cluster()?.Status?.Primary == "demo-compute-2", () => "compute is replaced");
            await harness.ReadyAsync();
            Assert.Matches(@"demo\s+Ready\s+demo-compute-2\s+3/3\s+\d+\s+", await KubectlAsync("get", "dbc"));

            harness.Node.SegmentStates["demo-storage-1"] = "repairing";
            await harness.UntilAsync(() => harness.Cluster()?.Status?.SegmentsReady == "2/3", () => "one is being repaired");
            Assert.Contains("Ready, 2 of 3 segments complete", await KubectlAsync("get", "dbc"), StringComparison.Ordinal);
            harness.Node.SegmentStates["demo-storage-1"] = "complete";
            await harness.ReadyAsync();
            await harness.UntilAsync(
                () => harness.Registry.List(Redoubt.TestCluster.Api.BuiltInTypes.Events, "default").Count(e => e.ToJsonString().Contains("StorageHealed", StringComparison.Ordinal)) > 0,
                () => "the last event");

            var story = await KubectlAsync("describe", "dbc", "demo");
            foreach (var word in (string[])["ComputeStarted", "ComputeEnded", "NotReady", "StorageDegraded", "StorageHealed", "demo-compute-1 ended with exit status 137", "Accepts", "Volume Id"])
            {
                Assert.Contains(word, story, StringComparison.OrdinalIgnoreCase);
            }

            Assert.Equal(3, harness.Pods(Names.Storage).Count);

            async Task<string> KubectlAsync(params string[] arguments)
            {
                var input = arguments[0] == "apply"
                    ? "---\n{apiVersion: redoubt.dev/v1alpha1, kind: DatabaseCluster, metadata: {name: demo}, spec: {storage: {copies: 3}}}" : null;
                var (exitCode, output, errors) = await Tools.RunAsync(
                    kubectl, folder.FullName, input, ["--kubeconfig", kubeconfig, "--cache-dir", Path.Combine(folder.FullName, "cache"), .. arguments]);
                Assert.True(exitCode == 0, errors);
                return output;
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
