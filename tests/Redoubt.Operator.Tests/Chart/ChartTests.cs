using System.Text.Json.Nodes;
using Redoubt.Operator.Planning;
using Redoubt.Operator.Runtime;
using Redoubt.Operator.Tests.Golden;
using Redoubt.Operator.Tests.Runtime;
using Redoubt.TestCluster;
using Redoubt.TestCluster.Api;

namespace Redoubt.Operator.Tests.Chart;

/// <summary>
/// The chart through the real helm: lint, rendering against expected files, and every rendered object against Kubernetes'
/// own schemas and against an API server that refuses unknown fields.
/// </summary>
public sealed class ChartTests
{
    private static readonly string Chart = Repository.PathOf("charts", "redoubt");
    private static readonly string Folder = Repository.PathOf("tests", "Redoubt.Operator.Tests", "Chart");

    public static TheoryData<string> Cases => [.. Directory.GetFiles(Folder, "*.values.yaml").Select(f => Path.GetFileName(f)[..^".values.yaml".Length]).Order(StringComparer.Ordinal)];

    [Fact]
    public async Task Lint_finds_nothing()
    {
        var (exitCode, output, errors) = await Tools.RunAsync(await Tools.HelmAsync(), Chart, null, "lint", ".", "--strict");
        Assert.True(exitCode == 0, output + errors);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Rendering_is_as_expected(string name) =>
        Repository.MatchesGolden(await RenderAsync(name), Path.Combine(Folder, name + ".expected.yaml"));

    [Theory]
    [InlineData("replcas=3", "replcas")]
    [InlineData("replicas=0", "replicas")]
    [InlineData("imagePrefix=registry.example.com", "imagePrefix")]
    [InlineData("logFormat=xml", "logFormat")]
    public async Task Wrong_values_are_refused(string value, string named)
    {
        var (exitCode, _, errors) = await Tools.RunAsync(await Tools.HelmAsync(), Chart, null, "template", "redoubt", ".", "--set", value);
        Assert.NotEqual(0, exitCode);
        Assert.Contains(named, errors, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Rendered_objects_fit_the_schemas_of_Kubernetes(string name)
    {
        var objects = YamlText.ReadAll(await RenderAsync(name));
        await FitSchemasAsync(objects);
        await using var harness = await OperatorHarness.StartAsync(withOperator: false);
        foreach (var ns in (string[])["redoubt-system", "apps"])
        {
            harness.Registry.Create(BuiltInTypes.Namespaces, "", Yaml.Documents($"{{apiVersion: v1, kind: Namespace, metadata: {{name: {ns}}}}}").Single(), new WriteOptions("test"));
        }

        foreach (var value in objects.Select(o => o.AsObject()).Where(o => !o.Text("apiVersion")!.StartsWith("monitoring.", StringComparison.Ordinal)))
        {
            harness.Registry.Create(harness.Registry.FindKind(value.Text("apiVersion"), value.Text("kind"))!, value.Namespace(), value.Clone(), new WriteOptions("helm"));
        }
    }

    [Fact]
    public async Task Objects_of_clusters_fit_the_schemas_of_Kubernetes()
    {
        var objects = new List<JsonNode>();
        foreach (var name in (string[])["create-minimal", "create-standard", "storage-up-compute-starts", "zones-unknown"])
        {
            var input = GoldenCase.Read(Repository.PathOf("tests", "Redoubt.Operator.Tests", "Golden", "Cases", name + ".input.yaml"));
            foreach (var value in ClusterPlanner.Plan(input.Snapshot()).Steps.Select(s => (s as PlanStep.Apply)?.Object ?? (s as PlanStep.Create)?.Object))
            {
                if (value is not null)
                {
                    var type = Redoubt.Operator.Runtime.ResourceType.Of(value);
                    (value.ApiVersion, value.Kind) = (type.ApiVersion, type.Kind);
                    objects.Add(JsonNode.Parse(k8s.KubernetesJson.Serialize(value))!);
                }
            }
        }

        await FitSchemasAsync(objects);
    }

    /// <summary>The operator's rights, as rendered, suffice for a life of a cluster, and it asks for nothing else.</summary>
    [Fact]
    public async Task The_rights_of_the_chart_suffice_for_the_operator()
    {
        await using var harness = await OperatorHarness.StartAsync(withOperator: false);
        harness.Registry.Create(BuiltInTypes.Namespaces, "", Yaml.Documents("{apiVersion: v1, kind: Namespace, metadata: {name: redoubt-system}}").Single(), new WriteOptions("test"));
        foreach (var value in YamlText.ReadAll(await File.ReadAllTextAsync(Path.Combine(Folder, "defaults.expected.yaml"))).Select(o => o.AsObject()))
        {
            if (value.Text("apiVersion")!.StartsWith("rbac.", StringComparison.Ordinal) || value.Text("kind") == "ServiceAccount")
            {
                harness.Registry.Create(harness.Registry.FindKind(value.Text("apiVersion"), value.Text("kind"))!, value.Namespace(), value.Clone(), new WriteOptions("helm"));
            }
        }

        harness.Token = harness.Server.Authorizer.Issue("redoubt-system", "redoubt");
        harness.StartOperator();
        harness.Apply("{storage: {copies: 3}, monitoring: {podMonitor: false}, deletionPolicy: Delete}");
        await harness.ReadyAsync();
        harness.Apply("{storage: {copies: 3, size: 20Gi}, postgres: {parameters: {work_mem: 8MB}}, deletionPolicy: Delete}");
        harness.Node.Kill("demo-compute-1", 137);
        await harness.UntilAsync(() => harness.Cluster()?.Status?.Primary == "demo-compute-2", () => "compute is replaced");
        await harness.ReadyAsync();
        Assert.NotEmpty(harness.Registry.List(BuiltInTypes.Events, "default"));
        Assert.Empty(harness.Refusals);
        harness.Registry.Delete(harness.ClusterType, "default", "demo", new DeleteOptions());
        await harness.UntilAsync(() => harness.Cluster() is null, () => "the cluster is gone");
        Assert.Empty(harness.Refusals);
    }

    /// <summary>Who has the role admin or view of Kubernetes in a namespace may make clusters there, or see them.</summary>
    [Fact]
    public async Task The_roles_of_people_cover_clusters()
    {
        await using var harness = await OperatorHarness.StartAsync(withOperator: false);
        foreach (var value in YamlText.ReadAll(await File.ReadAllTextAsync(Path.Combine(Folder, "defaults.expected.yaml"))).Select(o => o.AsObject()).Where(o => o.Text("kind") == "ClusterRole"))
        {
            harness.Registry.Create(BuiltInTypes.ClusterRoles, "", value.Clone(), new WriteOptions("helm"));
        }

        foreach (var role in (string[])["admin", "edit", "view"])
        {
            harness.Create($"{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: {role}, namespace: default}}}}");
            harness.Create($"{{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {{name: {role}, namespace: default}}, roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}, subjects: [{{kind: ServiceAccount, name: {role}, namespace: default}}]}}");
            harness.Token = harness.Server.Authorizer.Issue("default", role);
            using var client = harness.Client();
            var api = new KubeApi(client);
            Assert.NotNull(await api.ListAsync<Redoubt.Operator.Api.DatabaseCluster>("default", null, CancellationToken.None) is var (items, _) ? items : null);
            var cluster = new Redoubt.Operator.Api.DatabaseCluster { Metadata = new k8s.Models.V1ObjectMeta { Name = role, NamespaceProperty = "default" } };
            if (role == "view")
            {
                Assert.Equal(System.Net.HttpStatusCode.Forbidden, (await Assert.ThrowsAsync<KubeApiException>(() => api.CreateAsync(cluster, CancellationToken.None))).Code);
            }
            else
            {
                await api.CreateAsync(cluster, CancellationToken.None);
            }
        }
    }

    private static async Task FitSchemasAsync(IEnumerable<JsonNode> objects)
    {
        var list = new JsonArray([.. objects.Select(o => o.DeepClone())]);
        var models = await Tools.KubernetesModelsAsync();
        var (exitCode, output, errors) = await Tools.RunAsync("node", Folder, list.ToJsonString(), Path.Combine(Folder, "validate.mjs"), models);
        Assert.True(exitCode == 0, errors);
        var faults = output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(l => !(l.StartsWith("monitoring.coreos.com/", StringComparison.Ordinal) && l.EndsWith("no schema", StringComparison.Ordinal)));
        Assert.Empty(faults);
    }

    private static async Task<string> RenderAsync(string name)
    {
        var (exitCode, output, errors) = await Tools.RunAsync(
            await Tools.HelmAsync(), Chart, null, "template", "redoubt", ".", "--namespace", "redoubt-system", "-f", Path.Combine(Folder, name + ".values.yaml"));
        Assert.True(exitCode == 0, errors);
        return output;
    }
}
