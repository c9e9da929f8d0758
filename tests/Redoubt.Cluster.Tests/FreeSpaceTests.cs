namespace Redoubt.Cluster.Tests;

/// <summary>Free-space maps are not in the log, and yet a compute that starts from storage alone knows where there is room.</summary>
public sealed class FreeSpaceTests
{
    private const int Rows = 240_000;
    private const int AllowedBlocks = 2;

    [Theory]
    [InlineData(17, 1)]
    [InlineData(18, 1)]
    [InlineData(17, 3)]
    public async Task A_cold_started_compute_fills_the_room_that_vacuum_left(int postgres, int groups)
    {
        await using var cluster = await TestCluster.StartAsync(copies: 3, groups: groups, postgres: postgres);
        await cluster.ExecuteAsync("CREATE EXTENSION pg_freespacemap");
        await cluster.ExecuteAsync("CREATE TABLE t (i int, pad text) WITH (autovacuum_enabled = off)");
        await cluster.ExecuteAsync($"INSERT INTO t SELECT i, repeat('x', 150) FROM generate_series(1, {Rows}) i");
        await cluster.ExecuteAsync("CREATE TABLE full_up (i int, pad text) WITH (autovacuum_enabled = off)");
        await cluster.ExecuteAsync($"INSERT INTO full_up SELECT i, repeat('x', 150) FROM generate_series(1, {Rows / 4}) i");
        await cluster.ExecuteAsync("DELETE FROM t WHERE i % 2 = 0");
        await cluster.ExecuteAsync("VACUUM t, full_up");

        // VACUUM has no transaction id and waits for no log: a commit behind it does.
        await cluster.ExecuteAsync("CREATE TABLE durable ()");
        long blocks = await BlocksAsync(cluster);
        Assert.True(blocks > 5_000, "the map needs more than one leaf");
        string before = await MapAsync(cluster);

        await cluster.DrillAsync("wipe", "compute");
        await cluster.WaitForAsync("compute", s => s.Processes[0].State == "ready");
        Assert.Equal(before, await MapAsync(cluster));

        await cluster.ExecuteAsync($"INSERT INTO t SELECT i, repeat('y', 150) FROM generate_series(2, {Rows}, 2) i");
        Assert.Equal(Rows, await cluster.QueryAsync<long>("SELECT count(*) FROM t"));
        Assert.InRange(await BlocksAsync(cluster), blocks, blocks + AllowedBlocks);

        // What was filled since is known to be full at the next start.
        await cluster.DrillAsync("wipe", "compute");
        await cluster.WaitForAsync("compute", s => s.Processes[0].State == "ready");
        Assert.Equal(0L, await cluster.QueryAsync<long>($"SELECT count(*) FROM pg_freespace('t') WHERE avail > 300 AND blkno < {blocks - 1}"));
    }

    private static Task<long> BlocksAsync(TestCluster cluster) => cluster.QueryAsync<long>("SELECT pg_relation_size('t') / 8192");

    /// <summary>What the maps say: how many blocks have how much room, and a hash over which.</summary>
    private static Task<string> MapAsync(TestCluster cluster) => cluster.QueryAsync<string>(
        """
        SELECT string_agg(format('%s: %s with %s to %s bytes, %s', t, blocks, least, most, hash), '; ' ORDER BY t)
        FROM (SELECT t, count(*) AS blocks, min(avail) AS least, max(avail) AS most, md5(string_agg(avail::text, ',' ORDER BY blkno)) AS hash
              FROM unnest(ARRAY['t', 'full_up']) t, pg_freespace(t::regclass) GROUP BY t) maps
        """);
}
