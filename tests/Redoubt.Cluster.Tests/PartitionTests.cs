namespace Redoubt.Cluster.Tests;

/// <summary>Copies that are cut off do not know it themselves; the cluster says it for them.</summary>
public class PartitionTests
{
    [Fact]
    public async Task A_copy_that_is_cut_off_shows_until_it_is_healed()
    {
        await using var cluster = await TestCluster.StartAsync(copies: 3);
        await cluster.DrillAsync("partition", "storage-1");
        var status = await cluster.WaitForAsync("the copy to be missed", s => s.Phase == "Degraded");
        Assert.Contains("storage-1", status.Message, StringComparison.Ordinal);
        Assert.Equal("behind", Assert.Single(status.Processes.Single(p => p.Name == "storage-1").Segments!).State);
        await cluster.ExecuteAsync("CREATE TABLE without_it ()");
        await cluster.DrillAsync("heal", "storage-1");
        await cluster.WaitForAsync("all copies", s => s.Phase == "Ready");
        await cluster.VerifyAsync();
    }

    [Fact]
    public async Task Commits_wait_while_compute_is_cut_off_and_go_on_when_it_is_healed()
    {
        await using var cluster = await TestCluster.StartAsync(copies: 3);
        await cluster.ExecuteAsync("CREATE TABLE t (i int)");
        await cluster.DrillAsync("partition", "compute");
        await cluster.WaitForAsync("compute to be cut off", s => s.Phase == "Unavailable");
        var insert = cluster.ExecuteAsync("INSERT INTO t VALUES (1)");
        Assert.NotSame(insert, await Task.WhenAny(insert, Task.Delay(TimeSpan.FromSeconds(2))));
        await cluster.DrillAsync("heal", "compute");
        await insert.WaitAsync(TestCluster.Patience);
        Assert.Equal(1L, await cluster.QueryAsync<long>("SELECT count(*) FROM t"));
        await cluster.WaitForAsync("all copies", s => s.Phase == "Ready");
    }
}
