namespace Redoubt.Cluster.Tests;

/// <summary>The large ones: <c>./redoubt test --soak</c>.</summary>
public sealed class SoakTests
{
    [Fact]
    public async Task A_table_over_one_gigabyte_spans_segment_files_and_survives_a_cold_start()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("REDOUBT_SOAK") is { Length: > 0 }, "takes minutes and gigabytes; run with --soak");
        await using var cluster = await TestCluster.StartAsync(copies: 3, groups: 3);
        await cluster.ExecuteAsync("CREATE TABLE large (i int, s text)");
        const int Rows = 1_300_000;
        await using (var connection = await cluster.ConnectAsync())
        {
            string pad = new('x', 900);
            await using var writer = await connection.BeginBinaryImportAsync("COPY large FROM STDIN (FORMAT binary)");
            for (int i = 1; i <= Rows; i++)
            {
                await writer.StartRowAsync();
                await writer.WriteAsync(i);
                await writer.WriteAsync(pad);
            }

            await writer.CompleteAsync();
        }

        Assert.True(await cluster.QueryAsync<long>("SELECT pg_relation_size('large')") > 1L << 30);
        await cluster.DrillAsync("wipe", "compute");
        Assert.Equal($"{Rows} {(long)Rows * (Rows + 1) / 2}", await cluster.QueryAsync<string>("SELECT count(*) || ' ' || sum(i) FROM large"));
        await cluster.ExecuteAsync("DELETE FROM large WHERE i > 100; ");
        await cluster.ExecuteAsync("VACUUM large");
        await cluster.DrillAsync("wipe", "compute");
        Assert.Equal(100L, await cluster.QueryAsync<long>("SELECT count(*) FROM large"));
        await cluster.VerifyAsync();
    }

    [Fact]
    public async Task Ten_minutes_of_kills_lose_nothing()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("REDOUBT_SOAK") is { Length: > 0 }, "takes ten minutes; run with --soak");
        int seed = Environment.TickCount;
        TestContext.Current.SendDiagnosticMessage($"seed {seed}");
        var random = new Random(seed);
        await using var cluster = await TestCluster.StartAsync(copies: 6, groups: 3);
        var bank = new Bank(cluster, scale: 5);
        await bank.CreateAsync();
        using var stop = new CancellationTokenSource(TimeSpan.FromMinutes(10));
        var clients = bank.RunAsync(16, stop.Token);
        while (!stop.IsCancellationRequested)
        {
            string target = random.Next(2) == 0 ? "compute" : $"storage-{random.Next(6)}";
            await cluster.DrillAsync(target == "compute" && random.Next(2) == 0 ? "wipe" : "kill", target);
            await Task.Delay(TimeSpan.FromSeconds(random.Next(2, 15)), CancellationToken.None);
        }

        await clients;
        await bank.AssertNothingLostAsync();
        await cluster.VerifyAsync();
    }
}
