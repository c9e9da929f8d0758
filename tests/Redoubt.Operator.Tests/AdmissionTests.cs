using Redoubt.Operator.Tests.Runtime;
using Redoubt.TestCluster.Api;

namespace Redoubt.Operator.Tests;

/// <summary>Bad manifests are refused at admission with a sentence that says what to write instead; good ones are taken.</summary>
public sealed class AdmissionTests : IAsyncLifetime
{
    private OperatorHarness harness = null!;

    public async ValueTask InitializeAsync() => harness = await OperatorHarness.StartAsync(withOperator: false);

    public ValueTask DisposeAsync() => harness.DisposeAsync();

    [Theory]
    [InlineData("{storage: {copies: 5}}", "write one of these")]
    [InlineData("{storage: {copies: 0}}", "must be 6")]
    [InlineData("{storage: {size: 1Ki}}", "write at least 64Mi")]
    [InlineData("{storage: {groups: 65}}", "64")]
    [InlineData("{storage: {antiAffinity: Never}}", "Preferred")]
    [InlineData("{postgres: {version: 16}}", "write 17 or 18")]
    [InlineData("{postgres: {parameters: {fsync: 'off'}}}", "fsync is fixed at on; remove it")]
    [InlineData("{postgres: {parameters: {full_page_writes: 'on'}}}", "remove it")]
    [InlineData("{postgres: {parameters: {wal_level: minimal}}}", "write replica")]
    [InlineData("{postgres: {parameters: {port: '5433'}}}", "Service <name>-rw")]
    [InlineData("{postgres: {parameters: {listen_addresses: '*'}}}", "Service <name>-rw")]
    [InlineData("{postgres: {parameters: {data_directory: /x}}}", "remove it")]
    [InlineData("{postgres: {parameters: {restart_after_crash: 'on'}}}", "remove it")]
    [InlineData("{postgres: {parameters: {archive_mode: 'on'}}}", "remove them")]
    [InlineData("{postgres: {parameters: {include: /etc/passwd}}}", "write each parameter")]
    [InlineData("{postgres: {parameters: {io_method: io_uring}}}", "write worker")]
    [InlineData("{postgres: {parameters: {fsync: false}}}", "integer or string")]
    [InlineData("{postgres: {parameters: {wal_sync_method: fsync}}}", "remove it")]
    [InlineData("{postgres: {parameters: {recovery_target_time: now}}}", "remove them")]
    [InlineData("{postgres: {parameters: {logging_collector: 'on'}}}", "kubectl logs")]
    [InlineData("{database: {name: postgres}}", "write another name")]
    [InlineData("{database: {owner: pg_me}}", "write for example app")]
    [InlineData("{compute: {prefetchMemory: 1Ki}}", "64Mi")]
    [InlineData("{compute: {cacheSize: lots}}", "cacheSize")]
    [InlineData("{deletionPolicy: Keep}", "Retain")]
    [InlineData("{replicas: 2}", "replicas")]
    public void A_bad_manifest_is_refused_with_advice(string spec, string advice)
    {
        var refusal = Assert.Throws<ApiException>(() => harness.Apply(spec));
        Assert.Contains(advice, refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a-name-that-is-a-good-deal-longer-than-40", "choose a shorter name")]
    [InlineData("1st", "must start with a letter")]
    [InlineData("my.database", "must start with a letter")]
    public void A_bad_name_is_refused_with_advice(string name, string advice) =>
        Assert.Contains(advice, Assert.Throws<ApiException>(() => harness.Apply("{}", name)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("{storage: {copies: 6}}", "{storage: {copies: 3}}", "cannot change on a living cluster")]
    [InlineData("{storage: {groups: 1}}", "{storage: {groups: 2}}", "cannot change")]
    [InlineData("{storage: {storageClassName: a}}", "{storage: {storageClassName: b}}", "cannot change")]
    [InlineData("{storage: {storageClassName: a}}", "{storage: {}}", "cannot be added or removed")]
    [InlineData("{postgres: {version: 17}}", "{postgres: {version: 18}}", "pg_dump")]
    [InlineData("{database: {name: a}}", "{database: {name: b}}", "CREATE DATABASE")]
    [InlineData("{database: {owner: a}}", "{database: {owner: b}}", "CREATE ROLE")]
    public void A_change_that_cannot_be_is_refused_with_advice(string before, string after, string advice)
    {
        harness.Apply(before);
        Assert.Contains(advice, Assert.Throws<ApiException>(() => harness.Apply(after)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_size_below_that_of_the_volumes_is_refused_and_back_to_it_is_taken()
    {
        harness.Apply("{storage: {size: 10Gi}}");
        harness.Apply("{storage: {size: 9Gi}}"); // there is no volume yet
        var cluster = harness.Registry.Get(harness.ClusterType, "default", "demo");
        harness.Registry.SetStatusForTest(harness.ClusterType, cluster, new System.Text.Json.Nodes.JsonObject { ["storageSize"] = "9Gi" });
        harness.Apply("{storage: {size: 20Gi}}");
        Assert.Contains("cannot shrink", Assert.Throws<ApiException>(() => harness.Apply("{storage: {size: 8Gi}}")).Message, StringComparison.Ordinal);
        harness.Apply("{storage: {size: 9Gi}}");
    }

    [Fact]
    public void Parameters_may_be_text_numbers_and_booleans()
    {
        harness.Apply("{postgres: {parameters: {max_connections: 200, jit: false, random_page_cost: 1.1, work_mem: 16MB, max_wal_senders: 20, Work_Mem: 1MB}}}");
        var parameters = harness.Cluster()!.Spec.Postgres;
        var (good, rejected) = Redoubt.Operator.Planning.Builders.ParameterText.Of(parameters);
        Assert.Equal(["jit=off", "max_connections=200", "max_wal_senders=20", "random_page_cost=1.1", "work_mem=1MB"], good.Select(p => $"{p.Key}={p.Value}"));
        Assert.Equal("work_mem = 16MB: it is written twice; remove one of them", Assert.Single(rejected).ToString());
    }

    [Fact]
    public void Every_parameter_that_admission_refuses_in_lower_case_is_refused_in_any()
    {
        var schema = YamlText.ReadAll(File.ReadAllText(Repository.PathOf("crds", "databaseclusters.redoubt.dev.yaml"))).Single();
        var declared = schema["spec"]!["versions"]![0]!["schema"]!["openAPIV3Schema"]!["properties"]!["spec"]!["properties"]!["postgres"]!["properties"]!["parameters"]!["properties"]!.AsObject().Select(p => p.Key);
        string[] free = ["wal_level", "io_method", "file_copy_method", "dynamic_shared_memory_type"];
        Assert.Equal(Redoubt.Operator.Planning.Builders.FixedParameters.Names.Order(StringComparer.Ordinal), declared.Except(free).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_is_allowed_is_taken()
    {
        harness.Apply("{}");
        harness.Apply("{storage: {size: 20Gi}, postgres: {parameters: {wal_level: logical, work_mem: 4MB, max_wal_senders: '20', pg_stat_statements.max: '100'}}}");
        harness.Apply(
            """
            {scheduling: {tolerations: [{key: a, operator: Exists}], nodeSelector: {a: b},
            nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: a, operator: Exists}]}}]}},
            compute: {resources: {limits: {memory: 1Gi, cpu: 2}}}, storage: {size: 20Gi}}
            """.ReplaceLineEndings(" "));
    }

    [Theory]
    [InlineData("minimal.yaml")]
    [InlineData("standard.yaml")]
    public void The_examples_are_taken(string file)
    {
        var manifest = Redoubt.TestCluster.Yaml.Documents(File.ReadAllText(Repository.PathOf("examples", file))).Single();
        harness.Registry.Create(harness.ClusterType, "default", manifest, new WriteOptions("test"));
    }
}
