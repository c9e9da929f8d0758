namespace Redoubt.Cluster.Tests;

/// <summary>A cold start costs the same whatever the size of the data, and replays nothing.</summary>
public sealed class ColdStartTests
{
    [Fact]
    public async Task A_cold_start_replays_nothing_and_fetches_only_what_is_touched()
    {
        await using var cluster = await TestCluster.StartAsync(copies: 3);
        await cluster.ExecuteAsync("CREATE TABLE small (i int)");
        double before = await ColdStartAsync(cluster);
        await cluster.ExecuteAsync("CREATE TABLE big AS SELECT i, repeat(md5(i::text), 8) AS pad FROM generate_series(1, 400000) i");
        long bytes = await cluster.QueryAsync<long>("SELECT pg_total_relation_size('big')");
        Assert.True(bytes > 100_000_000);
        double after = await ColdStartAsync(cluster);
        Assert.InRange(after, 1, (4 * before) + 2_000);
        TestContext.Current.SendDiagnosticMessage($"cold start: {before:0} ms empty, {after:0} ms with {bytes >> 20} MiB");

        var status = await cluster.StatusAsync();
        Assert.InRange(status.Network!.PageBytesReceived, 1, 30_000_000);
        Assert.Equal("400000 " + Md5Of400000, await cluster.QueryAsync<string>("SELECT i || ' ' || left(pad, 32) FROM big WHERE i = 400000"));
        Assert.DoesNotContain("redo starts at", cluster.LogOf("compute"), StringComparison.Ordinal);
        Assert.DoesNotContain("automatic recovery", cluster.LogOf("compute"), StringComparison.Ordinal);
    }

    // md5('400000')
    private const string Md5Of400000 = "2a3a2d28294f5c0cf89b066a8d0f9e17";

    /// <summary>Milliseconds that the agent reports for its start, after a wipe.</summary>
    private static async Task<double> ColdStartAsync(TestCluster cluster)
    {
        await cluster.DrillAsync("wipe", "compute");
        var status = await cluster.WaitForAsync("compute", s => s.Processes[0].State == "ready");
        double took = status.Processes[0].StartedMs!.Values.Sum();
        Assert.InRange(took, 1, 60_000);
        return took;
    }
}
