using Redoubt.Operator.Tests.Runtime;
using Redoubt.TestCluster;
using Redoubt.TestCluster.Api;

namespace Redoubt.Operator.Tests.Chart;

/// <summary>The chart's life on an API server with the real helm: install, upgrade, roll back, uninstall.</summary>
public sealed class HelmTests
{
    private const string Namespace = "redoubt-system";

    [Fact]
    public async Task The_chart_is_installed_upgraded_rolled_back_and_uninstalled()
    {
        var helm = await Tools.HelmAsync();
        await using var harness = await OperatorHarness.StartAsync(withOperator: false, withDefinition: false);
        var folder = Directory.CreateTempSubdirectory("redoubt-helm");
        try
        {
            var kubeconfig = Path.Combine(folder.FullName, "config");
            await File.WriteAllTextAsync(kubeconfig, harness.Server.Kubeconfig());
            int Replicas() => (int)harness.Registry.Get(BuiltInTypes.Deployments, Namespace, "redoubt").Integer("spec", "replicas")!;

            // Nothing runs Jobs here: they end as the test says.
            using var stop = new CancellationTokenSource();
            var jobsSucceed = true;
            var jobs = Task.Run(async () =>
            {
                while (!stop.IsCancellationRequested)
                {
                    foreach (var job in harness.Registry.List(BuiltInTypes.Jobs, Namespace).Where(j => j.At("status", "conditions") is null))
                    {
                        harness.Registry.SetStatusForTest(BuiltInTypes.Jobs, job, Yaml.Documents(jobsSucceed
                            ? "{succeeded: 1, conditions: [{type: Complete, status: 'True'}]}" : "{failed: 1, conditions: [{type: Failed, status: 'True', reason: BackoffLimitExceeded}]}").Single());
                    }

                    await Task.Delay(100);
                }
            });

            var installed = await HelmAsync("install", "redoubt", Repository.PathOf("charts", "redoubt"), "--namespace", Namespace, "--create-namespace");
            Assert.Contains("STATUS: deployed", installed, StringComparison.Ordinal);
            Assert.Equal(2, Replicas());
            Assert.NotNull(harness.Registry.TryGet(BuiltInTypes.CustomResourceDefinitions, "", "databaseclusters.redoubt.dev"));
            foreach (var type in (ResourceType[])[BuiltInTypes.ServiceAccounts, BuiltInTypes.Roles, BuiltInTypes.RoleBindings])
            {
                Assert.Contains(harness.Registry.List(type, Namespace), IsOfTheChart);
            }

            await HelmAsync("upgrade", "redoubt", Repository.PathOf("charts", "redoubt"), "--namespace", Namespace, "--set", "replicas=1,networkPolicy.enabled=true");
            Assert.Equal(1, Replicas());
            Assert.NotNull(harness.Registry.TryGet(BuiltInTypes.NetworkPolicies, Namespace, "redoubt"));
            Assert.Null(harness.Registry.TryGet(BuiltInTypes.DisruptionBudgets, Namespace, "redoubt"));
            Assert.Matches(@"redoubt\s+redoubt-system\s+2\s", await HelmAsync("list", "--namespace", Namespace));

            await HelmAsync("rollback", "redoubt", "1", "--namespace", Namespace);
            Assert.Equal(2, Replicas());
            Assert.Null(harness.Registry.TryGet(BuiltInTypes.NetworkPolicies, Namespace, "redoubt"));

            // The hook finds a cluster: the operator stays.
            jobsSucceed = false;
            Assert.Contains("redoubt-uninstall", await Assert.ThrowsAnyAsync<Exception>(() => HelmAsync("uninstall", "redoubt", "--namespace", Namespace)) is { } e ? e.Message : "", StringComparison.Ordinal);
            Assert.NotNull(harness.Registry.TryGet(BuiltInTypes.Deployments, Namespace, "redoubt"));
            jobsSucceed = true;
            await HelmAsync("uninstall", "redoubt", "--namespace", Namespace);
            await stop.CancelAsync();
            await jobs;
            foreach (var type in BuiltInTypes.All.Where(t => t != BuiltInTypes.CustomResourceDefinitions && t != BuiltInTypes.Namespaces))
            {
                Assert.DoesNotContain(harness.Registry.List(type), IsOfTheChart);
            }

            // Databases outlive the operator: helm leaves the definitions alone.
            Assert.NotNull(harness.Registry.TryGet(BuiltInTypes.CustomResourceDefinitions, "", "databaseclusters.redoubt.dev"));

            async Task<string> HelmAsync(params string[] arguments)
            {
                var (exitCode, output, errors) = await Tools.RunAsync(helm, folder.FullName, null,
                    ["--kubeconfig", kubeconfig, "--registry-config", Path.Combine(folder.FullName, "registry"), "--repository-cache", folder.FullName, .. arguments]);
                Assert.True(exitCode == 0, $"helm {string.Join(' ', arguments)}: {output}{errors}");
                return output;
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static bool IsOfTheChart(System.Text.Json.Nodes.JsonObject value) => value.Text("metadata", "labels", "helm.sh/chart")?.StartsWith("redoubt-", StringComparison.Ordinal) == true;
}
