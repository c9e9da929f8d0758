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

            await HelmAsync("uninstall", "redoubt", "--namespace", Namespace);
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
