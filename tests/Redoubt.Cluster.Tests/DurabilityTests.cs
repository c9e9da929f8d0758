using Npgsql;

namespace Redoubt.Cluster.Tests;

/// <summary>What was acknowledged stays, whatever dies.</summary>
public sealed class DurabilityTests
{
    [Fact]
    public async Task Acked_commits_survive_random_kills_of_compute_and_storage()
    {
        int seed = Environment.TickCount;
        TestContext.Current.SendDiagnosticMessage($"seed {seed}");
        var random = new Random(seed);
        await using var cluster = await TestCluster.StartAsync(copies: 6);
        var bank = new Bank(cluster, scale: 2);
        await bank.CreateAsync();
        using var stop = new CancellationTokenSource();
        var clients = bank.RunAsync(8, stop.Token);
        int seen = 0;
        foreach (var (kind, target) in new[] { ("kill", "compute"), ("kill", $"storage-{random.Next(6)}"), ("wipe", "compute"), ("kill", $"storage-{random.Next(6)}"), ("kill", "compute") })
        {
            // Work goes on between the drills: each hits a cluster in full swing, at a random moment.
            await ProgressAsync(bank, seen + 200);
            await Task.Delay(random.Next(0, 500));
            await cluster.DrillAsync(kind, target);
            seen = bank.Committed;
        }

        await ProgressAsync(bank, seen + 200);
        await stop.CancelAsync();
        await clients;
        await bank.AssertNothingLostAsync();
        await cluster.VerifyAsync();

        // And once more from nothing but storage.
        await cluster.DrillAsync("wipe", "compute");
        await bank.AssertNothingLostAsync();
    }

    [Fact]
    public async Task Any_two_of_six_may_be_down_a_third_makes_commits_wait_and_none_is_lost()
    {
        await using var cluster = await TestCluster.StartAsync(copies: 6);
        await cluster.ExecuteAsync("CREATE TABLE t (i int PRIMARY KEY, s text)");
        await cluster.ExecuteAsync("CREATE TABLE cold AS SELECT i, md5(i::text) s FROM generate_series(1, 20000) i");

        // A compute that has touched nothing yet: what it reads below comes from storage.
        await cluster.DrillAsync("wipe", "compute");
        await using var warm = await cluster.ConnectAsync();
        await new NpgsqlCommand("SELECT count(*) FROM t", warm).ExecuteScalarAsync();
        await cluster.WaitForAsync("all copies", s => s.Phase == "Ready");

        await cluster.DrillAsync("stop", "storage-1");
        await cluster.DrillAsync("stop", "storage-4");
        await new NpgsqlCommand("INSERT INTO t VALUES (1, 'two down')", warm).ExecuteNonQueryAsync();

        await cluster.DrillAsync("stop", "storage-5");
        await using var waiting = await cluster.ConnectAsync();
        var commit = new NpgsqlCommand("INSERT INTO t VALUES (2, 'three down')", waiting).ExecuteNonQueryAsync();
        Assert.Equal(20000L, await new NpgsqlCommand("SELECT count(*) FROM cold WHERE s = md5(i::text)", warm).ExecuteScalarAsync());
        var first = await Task.WhenAny(commit, Task.Delay(TimeSpan.FromSeconds(4)));
        Assert.NotSame(commit, first);
        Assert.Equal(1L, await new NpgsqlCommand("SELECT count(*) FROM t", warm).ExecuteScalarAsync());

        await cluster.DrillAsync("start", "storage-4");
        Assert.Equal(1, await commit.WaitAsync(TestCluster.Patience));
        Assert.Equal(2L, await new NpgsqlCommand("SELECT count(*) FROM t", warm).ExecuteScalarAsync());
        await cluster.DrillAsync("start", "storage-1");
        await cluster.DrillAsync("start", "storage-5");
        await cluster.VerifyAsync();
    }

    [Fact]
    public async Task A_whole_zone_and_a_wiped_copy_cost_no_commit()
    {
        await using var cluster = await TestCluster.StartAsync(copies: 3);
        var bank = new Bank(cluster, scale: 1);
        await bank.CreateAsync();
        using var stop = new CancellationTokenSource();
        var clients = bank.RunAsync(4, stop.Token);
        await ProgressAsync(bank, 100);
        await cluster.DrillAsync("stop", "zone-b");
        await ProgressAsync(bank, bank.Committed + 100);
        await cluster.DrillAsync("start", "zone-b");
        await cluster.WaitForAsync("zone b to catch up", s => s.Phase == "Ready");
        await cluster.DrillAsync("wipe", "storage-2");
        await ProgressAsync(bank, bank.Committed + 100);
        await stop.CancelAsync();
        await clients;
        await bank.AssertNothingLostAsync();
        await cluster.VerifyAsync();
    }

    [Fact]
    public async Task Down_and_up_again_keeps_everything()
    {
        await using var cluster = await TestCluster.StartAsync(copies: 6);
        await cluster.ExecuteAsync("CREATE TABLE t AS SELECT generate_series(1, 1000) i");
        var took = await cluster.DownAndUpAsync();
        TestContext.Current.SendDiagnosticMessage($"up after down: {took.TotalMilliseconds:0} ms");
        Assert.Equal(1000L, await cluster.QueryAsync<long>("SELECT count(*) FROM t"));
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(60));
    }

    private static async Task ProgressAsync(Bank bank, int committed)
    {
        var end = DateTime.UtcNow + TestCluster.Patience;
        while (bank.Committed < committed)
        {
            Assert.True(DateTime.UtcNow < end, $"no progress beyond {bank.Committed} commits");
            await Task.Delay(20);
        }
    }
}
