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
    [InlineData("{postgres: {parameters: {synchronous_standby_names: '*'}}}", "set synchronous_commit per transaction")]
    [InlineData("{postgres: {parameters: {wal_level: minimal}}}", "write replica")]
    [InlineData("{postgres: {parameters: {port: '5433'}}}", "Service <name>-rw")]
    [InlineData("{postgres: {parameters: {listen_addresses: '*'}}}", "Service <name>-rw")]
    [InlineData("{postgres: {parameters: {data_directory: /x}}}", "remove it")]
    [InlineData("{postgres: {parameters: {restart_after_crash: 'on'}}}", "remove it")]
    [InlineData("{postgres: {parameters: {archive_mode: 'on'}}}", "remove them")]
    [InlineData("{postgres: {parameters: {include: /etc/passwd}}}", "write each parameter")]
    [InlineData("{postgres: {parameters: {io_method: io_uring}}}", "write worker")]
    [InlineData("{postgres: {parameters: {Work_Mem: 1MB}}}", "lower case")]
    [InlineData("{postgres: {parameters: {work_mem: \"1MB'\\nfsync = 'on\"}}}", "one line")]
    [InlineData("{postgres: {parameters: {max_wal_senders: '1'}}}", "at least 2")]
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
    [InlineData("{storage: {size: 10Gi}}", "{storage: {size: 9Gi}}", "cannot shrink")]
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
