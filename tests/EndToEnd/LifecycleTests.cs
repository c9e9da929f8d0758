using System.Diagnostics;
using k8s;
using k8s.Models;

namespace Redoubt.EndToEnd;

/// <summary>From apply to delete, with the example of one copy; and what is refused or cannot come to be.</summary>
public sealed class LifecycleTests(InstalledFixture installed)
{
    private Target Target => installed.Target;

    private static string Minimal(string name, string storage = "copies: 1\n    size: 1Gi", string more = "") => $"""
        apiVersion: redoubt.dev/v1alpha1
        kind: DatabaseCluster
        metadata:
          name: {name}
        spec:
          deletionPolicy: Delete
          storage:
            {storage}
        {more}
        """;

    private Task<string> ApplyAsync(string yaml) => Target.KubectlAsync(yaml, "-n", installed.Namespace, "apply", "-f", "-");

    [Fact]
    public async Task The_minimal_example_becomes_a_database_tells_its_story_and_is_deleted_without_remains()
    {
        var database = new Database(Target, installed.Namespace, "demo");
        var clock = Stopwatch.StartNew();
        var yaml = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "examples", "minimal.yaml"));
        Assert.Contains("databasecluster.redoubt.dev/demo created", await database.ApplyAsync(yaml + "  deletionPolicy: Delete\n"));
        await Target.KillOperatorAsync();
        await database.IsWholeAsync(TimeSpan.FromMinutes(4));
        Console.WriteLine($"one copy, from apply to ready: {clock.Elapsed.TotalSeconds:0.0} s");
        await database.SqlAsync("create table t as select i, md5(i::text) h from generate_series(1, 10000) i");
        Assert.Equal(10000L, await database.SqlAsync("select count(*) from t where h = md5(i::text)"));

        var line = await Target.KubectlAsync(null, "-n", database.Namespace, "get", "dbc");
        Assert.Matches(@"NAME +STATUS +PRIMARY +SEGMENTS +EPOCH +AGE\ndemo +Ready +demo-compute-1 +1/1 +\d+ ", line);
        var story = await Target.KubectlAsync(null, "-n", database.Namespace, "describe", "dbc", "demo");
        Assert.Contains("Write Quorum", story.Replace("WriteQuorum", "Write Quorum"));
        Assert.Matches(@"Normal +Ready ", story);

        var compute = (await database.PodsAsync("compute")).Single().Name();
        await Target.Client.DeleteNamespacedPodAsync(compute, database.Namespace);
        await Wait.UntilAsync(async () => (await database.ConditionAsync("Ready")).Status == "False", TimeSpan.FromSeconds(60), database.StoryAsync);
        await database.IsWholeAsync();
        Assert.Matches(@"Warning +NotReady ", await Target.KubectlAsync(null, "-n", database.Namespace, "describe", "dbc", "demo"));
        Assert.Equal(10000L, await database.SqlAsync("select count(*) from t where h = md5(i::text)"));

        await Target.KubectlAsync(null, "-n", database.Namespace, "delete", "dbc", "demo", "--wait=false");
        await Target.KillOperatorAsync();
        await Wait.UntilAsync(async () => await RemainsAsync("demo") == "", TimeSpan.FromMinutes(2), async () => $"nothing of demo is left, but: {await RemainsAsync("demo")}");
    }

    [Fact]
    public async Task A_deleted_cluster_keeps_its_data_for_a_successor_until_it_is_told_to_delete_them()
    {
        var database = new Database(Target, installed.Namespace, "kept");
        var yaml = Minimal("kept", "copies: 3\n    size: 1Gi").Replace("deletionPolicy: Delete", "deletionPolicy: Retain");
        Assert.Contains("created", await database.ApplyAsync(yaml));
        await database.IsWholeAsync(TimeSpan.FromMinutes(4));
        await database.SqlAsync("create table t as select i from generate_series(1, 1000) i");

        await DeleteAsync();
        var remains = await RemainsAsync("kept");
        Assert.All((string[])["persistentvolumeclaim/kept-storage-0", "persistentvolumeclaim/kept-storage-2", "secret/kept-app", "secret/kept-superuser"], r => Assert.Contains(r, remains));
        Assert.DoesNotContain("pod/", remains);

        Assert.Contains("created", await database.ApplyAsync(yaml));
        await Target.KillOperatorAsync();
        await database.IsWholeAsync(TimeSpan.FromMinutes(4));
        Assert.Equal(1000L, await database.SqlAsync("select count(*) from t"));

        await Target.KubectlAsync(null, "-n", database.Namespace, "patch", "dbc", "kept", "--type=merge", "-p", """{"spec":{"deletionPolicy":"Delete"}}""");
        await DeleteAsync();
        await Wait.UntilAsync(async () => await RemainsAsync("kept") == "", TimeSpan.FromMinutes(2), async () => $"nothing of kept is left, but: {await RemainsAsync("kept")}");

        async Task DeleteAsync()
        {
            await Target.KubectlAsync(null, "-n", database.Namespace, "delete", "dbc", "kept", "--wait=false");
            await Target.KillOperatorAsync();
            await Wait.UntilAsync(async () => await Target.KubectlAsync(null, "-n", database.Namespace, "get", "dbc,pods,svc", "-l", "redoubt.dev/cluster=kept", "-o", "name") == ""
                && (await Target.KubectlAsync(null, "-n", database.Namespace, "get", "dbc", "kept")).Contains("not found"),
                TimeSpan.FromMinutes(2), async () => $"kept is gone, but: {await RemainsAsync("kept")}");
        }
    }

    private async Task<string> RemainsAsync(string name) => string.Join(", ",
        (await Target.KubectlAsync(null, "-n", installed.Namespace, "get", "dbc,pods,pvc,svc,secrets,configmaps,serviceaccounts,pdb,netpol", "-o", "name"))
        .Split('\n').Where(l => l.Contains($"/{name}-") || l.EndsWith($"/{name}", StringComparison.Ordinal)));

    [Theory]
    [InlineData("copies: 5", "", "must be 6")]
    [InlineData("copies: 1", "  postgres: {version: 16}", "write 17 or 18")]
    [InlineData("copies: 1", "  postgres: {parameters: {fsync: \"off\"}}", "fsync is fixed at on; remove it")]
    [InlineData("copies: 1\n    sise: 1Gi", "", "unknown field \"spec.storage.sise\"")]
    public async Task Bad_manifests_are_refused_with_a_sentence_that_says_what_to_write(string storage, string more, string sentence)
    {
        Assert.Contains(sentence, await ApplyAsync(Minimal("bad", storage, more)));
        Assert.Contains("not found", await Target.KubectlAsync(null, "-n", installed.Namespace, "get", "dbc", "bad"));
    }

    [Fact]
    public async Task Too_long_a_name_and_a_shrinking_volume_are_refused()
    {
        Assert.Contains("choose a shorter name", await ApplyAsync(Minimal(new string('n', 41))));
        var database = await installed.StandardAsync();
        Assert.Contains("cannot shrink", await Target.KubectlAsync(null, "-n", database.Namespace, "patch", "dbc", database.Name, "--type=merge", "-p", """{"spec":{"storage":{"size":"512Mi"}}}"""));
    }

    [Theory]
    [InlineData("noclass", "copies: 1\n    size: 1Gi\n    storageClassName: nowhere", "", "nowhere")]
    [InlineData("noimage", "copies: 1\n    size: 1Gi", "  images: {storage: \"nowhere.invalid/redoubt:0\"}", "nowhere.invalid/redoubt:0")]
    [InlineData("nozone", "copies: 1\n    size: 1Gi\n    zones: [mars]", "", "mars")]
    public async Task What_only_the_operator_can_see_shows_as_condition_and_event(string name, string storage, string more, string culprit)
    {
        var database = new Database(Target, installed.Namespace, name);
        Assert.Contains("created", await ApplyAsync(Minimal(name, storage, more)));
        await Wait.UntilAsync(async () => await database.ConditionAsync("Degraded") is { Status: "True" } c && (c.Message?.Contains(culprit) == true || name == "nozone"),
            TimeSpan.FromSeconds(Target.IsTestCluster ? 20 : 90), database.StoryAsync);
        var condition = await database.ConditionAsync("Degraded");
        await Wait.UntilAsync(async () => (await Target.KubectlAsync(null, "-n", database.Namespace, "describe", "dbc", name)).Contains($"Warning  {condition.Reason}"),
            TimeSpan.FromSeconds(20), database.StoryAsync);
        await Target.KubectlAsync(null, "-n", database.Namespace, "delete", "dbc", name);
        await Wait.UntilAsync(async () => await RemainsAsync(name) == "", TimeSpan.FromMinutes(2), async () => $"left of {name}: {await RemainsAsync(name)}");
    }
}
