using System.Diagnostics;
using System.Text;
using k8s;
using k8s.Models;

namespace Redoubt.EndToEnd;

/// <summary>What a platform engineer does in an ordinary week: drains a node, sets a quota, restarts the API server, rotates a password, mistypes a parameter, deletes a namespace.</summary>
public sealed class OrdinaryWeekTests(InstalledFixture installed)
{
    private Target Target => installed.Target;

    private const string Small = """
        apiVersion: redoubt.dev/v1alpha1
        kind: DatabaseCluster
        metadata:
          name: small
        spec:
          deletionPolicy: Delete
          compute: {resources: {requests: {cpu: 50m, memory: 128Mi}}}
          storage: {copies: 1, size: 1Gi, resources: {requests: {cpu: 50m, memory: 128Mi}}}
        """;

    private async Task<Database> NewNamespaceAsync(string purpose)
    {
        var ns = $"{installed.Namespace}-{purpose}";
        await Target.MakeNamespaceAsync(ns);
        return new Database(Target, ns, "small");
    }

    private static async Task<string?> PhaseAsync(Database database) => (string?)(await database.ReadAsync())["status"]?["phase"];

    [Fact]
    public async Task A_node_is_drained_while_clients_write_and_the_drain_ends()
    {
        var nodes = (await Target.Client.ListNodeAsync()).Items.Where(n => n.Spec?.Unschedulable != true).ToList();
        Assert.SkipWhen(nodes.Count < 3, "a drain that keeps the write quorum needs three nodes");
        var database = await installed.StandardAsync();
        await using var ledger = await Ledger.StartAsync(database);
        var node = (await database.PodsAsync("storage")).GroupBy(p => p.Spec.NodeName).MinBy(g => g.Count())!.Key;
        try
        {
            var clock = Stopwatch.StartNew();
            var output = await Target.KubectlAsync(null, "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=180s");
            Assert.True(output.Contains($"node/{node} drained"), output);
            Console.WriteLine($"drained in {clock.Elapsed.TotalSeconds:0.0} s");
            await ledger.AdvancesAsync(TimeSpan.FromSeconds(60));
        }
        finally
        {
            await Target.KubectlAsync(null, "uncordon", node);
        }
        await database.IsWholeAsync();
        await ledger.AdvancesAsync(TimeSpan.FromSeconds(60));
        await ledger.NothingIsLostAsync();
        Assert.DoesNotContain("CalculateExpectedPodCountFailed", await Target.KubectlAsync(null, "-n", database.Namespace, "get", "events"));
    }

    [Fact]
    public async Task A_quota_that_refuses_pods_is_told_and_gives_way_when_it_is_raised()
    {
        var database = await NewNamespaceAsync("quota");
        Assert.Contains("created", await database.ApplyAsync("---\n{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {pods: '1'}}}"));
        Assert.Contains("created", await database.ApplyAsync(Small));
        await Wait.UntilAsync(async () => await PhaseAsync(database) is "Waiting: quota", TimeSpan.FromMinutes(2), database.StoryAsync);
        Assert.Contains("raise the quota", (await database.ConditionAsync("Degraded")).Message);
        Assert.All((await Target.KubectlAsync(null, "-n", database.Namespace, "get", "dbc")).Split('\n'), l => Assert.InRange(l.Length, 0, 120));
        await Target.KubectlAsync(null, "-n", database.Namespace, "delete", "quota", "q");
        await database.IsWholeAsync();
        Assert.Equal("small-compute-1", (await database.PodsAsync("compute")).Single().Name());
        await Target.KubectlAsync(null, "delete", "namespace", database.Namespace, "--wait=false");
    }

    [Fact]
    public async Task A_user_without_a_name_makes_a_database()
    {
        var ns = (await NewNamespaceAsync("uid")).Namespace;
        var image = (await (await installed.StandardAsync()).PodsAsync("compute"))[0].Spec.Containers[0].Image;
        Assert.Contains("created", await Target.KubectlAsync($$"""
            apiVersion: v1
            kind: Pod
            metadata: {name: nameless}
            spec:
              restartPolicy: Never
              automountServiceAccountToken: false
              securityContext: {runAsNonRoot: true, runAsUser: 1000660000, runAsGroup: 0, seccompProfile: {type: RuntimeDefault} }
              containers:
                - name: initdb
                  image: {{image}}
                  command: [/redoubt/start, /usr/lib/postgresql/17/bin/initdb, --pgdata=/tmp/data, --username=postgres, --auth=trust, --locale=C, --no-sync]
                  securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]} }
                  volumeMounts: [{name: tmp, mountPath: /tmp}, {name: shm, mountPath: /dev/shm}]
              volumes: [{name: tmp, emptyDir: { } }, {name: shm, emptyDir: {medium: Memory} }]
            """, "-n", ns, "apply", "-f", "-"));
        await Wait.UntilAsync(async () => (await Target.Client.ReadNamespacedPodAsync("nameless", ns)).Status?.Phase is "Succeeded" or "Failed", TimeSpan.FromMinutes(2), () => Target.LogAsync(ns, "nameless"));
        var log = await Target.LogAsync(ns, "nameless");
        Assert.True((await Target.Client.ReadNamespacedPodAsync("nameless", ns)).Status.Phase == "Succeeded", log);
        await Target.KubectlAsync(null, "delete", "namespace", ns, "--wait=false");
    }

    [Fact]
    public async Task A_namespace_with_a_live_cluster_is_deleted()
    {
        var database = await NewNamespaceAsync("going");
        Assert.Contains("created", await database.ApplyAsync(Small));
        await database.IsWholeAsync(TimeSpan.FromMinutes(4));
        await Target.KubectlAsync(null, "delete", "namespace", database.Namespace, "--wait=false");
        await Wait.UntilAsync(async () => (await Target.KubectlAsync(null, "get", "namespace", database.Namespace)).Contains("not found"), TimeSpan.FromMinutes(3), database.StoryAsync);
    }

    [Fact]
    public async Task An_API_server_that_is_away_stops_neither_the_database_nor_an_operator()
    {
        var database = await installed.StandardAsync();
        await using var ledger = await Ledger.StartAsync(database);
        var before = await OperatorsAsync();
        Assert.SkipWhen(!await Target.ApiIsAwayAsync(TimeSpan.FromSeconds(20), () => ledger.AdvancesAsync(TimeSpan.FromSeconds(15))), "only the test cluster's API server can be taken away");
        await database.PatchAsync("""{"postgres":{"parameters":{"work_mem":"17MB"}}}""");
        var generation = (long)(await database.ReadAsync())["metadata"]!["generation"]!;
        await Wait.UntilAsync(async () => (long?)(await database.ReadAsync())["status"]?["observedGeneration"] == generation, TimeSpan.FromSeconds(20), database.StoryAsync);
        Assert.Equal(before, await OperatorsAsync());
        await ledger.AdvancesAsync(TimeSpan.FromSeconds(30));
        await ledger.NothingIsLostAsync();

        async Task<string> OperatorsAsync() => string.Join(", ", (await Target.Client.ListNamespacedPodAsync(Target.OperatorNamespace)).Items
            .OrderBy(p => p.Name(), StringComparer.Ordinal).Select(p => $"{p.Name()} {p.Status.ContainerStatuses?.Sum(c => c.RestartCount)}"));
    }

    [Fact]
    public async Task A_mistyped_parameter_leaves_a_live_database_alone_and_says_why()
    {
        var database = await installed.StandardAsync();
        await using var ledger = await Ledger.StartAsync(database);
        var pods = string.Join(',', (await database.PodsAsync("compute")).Select(p => p.Uid()));
        await database.PatchAsync("""{"postgres":{"parameters":{"work_mem":"4XB","max_connections":2}}}""");
        await Wait.UntilAsync(async () => await PhaseAsync(database) is "Degraded: parameters", TimeSpan.FromMinutes(2), database.StoryAsync);
        Assert.Contains("work_mem", (await database.ConditionAsync("ParametersValid")).Message);
        Assert.Contains("ParametersInvalid", await Target.KubectlAsync(null, "-n", database.Namespace, "describe", "dbc", database.Name));
        await ledger.AdvancesAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(pods, string.Join(',', (await database.PodsAsync("compute")).Select(p => p.Uid())));

        await database.PatchAsync("""{"postgres":{"parameters":{"work_mem":"19MB","max_connections":200}}}""");
        await Wait.UntilAsync(async () => (await database.ConditionAsync("ParametersValid")).Status == "True" && await database.SqlAsync("show work_mem") is "19MB", TimeSpan.FromMinutes(2), database.StoryAsync);
        await database.IsWholeAsync();
        await ledger.NothingIsLostAsync();
    }

    [Fact]
    public async Task A_changed_password_is_in_force_within_a_minute_and_a_deleted_secret_comes_back()
    {
        var database = await installed.StandardAsync();
        await using var ledger = await Ledger.StartAsync(database);
        var name = $"{database.Name}-app";
        const string password = "p@ss/w#rd%20:x?y";
        await Target.Client.PatchNamespacedSecretAsync(
            new V1Patch($$$"""{"data":{"password":"{{{Convert.ToBase64String(Encoding.UTF8.GetBytes(password))}}}"}}""", V1Patch.PatchType.MergePatch), name, database.Namespace);
        var clock = Stopwatch.StartNew();
        await Wait.UntilAsync(async () =>
        {
            await using var connection = await database.ConnectAsync(); // with the new password
            return true;
        }, TimeSpan.FromSeconds(60), database.StoryAsync);
        Console.WriteLine($"a changed password is in force after {clock.Elapsed.TotalSeconds:0.0} s");
        await Wait.UntilAsync(async () => (await ValueAsync("uri")).Contains("p%40ss%2Fw%23rd%2520%3Ax%3Fy"), TimeSpan.FromSeconds(60), database.StoryAsync);

        await Target.Client.DeleteNamespacedSecretAsync(name, database.Namespace);
        await Wait.UntilAsync(async () => await ValueAsync("password") == password, TimeSpan.FromSeconds(60), database.StoryAsync);
        await ledger.AdvancesAsync(TimeSpan.FromSeconds(60));
        await ledger.NothingIsLostAsync();

        async Task<string> ValueAsync(string key) =>
            Encoding.UTF8.GetString((await Target.Client.ReadNamespacedSecretAsync(name, database.Namespace)).Data[key]);
    }
}
