using Npgsql;
using Redoubt.Cli.Local;

namespace Redoubt.Cluster.Tests;

/// <summary>Two writers of one volume: the epoch decides, not time.</summary>
public sealed class FencingTests
{
    [Fact]
    public async Task The_older_of_two_writers_gets_no_acknowledgement_any_more()
    {
        await using var cluster = await TestCluster.StartAsync(copies: 3);
        await cluster.ExecuteAsync("CREATE TABLE t (i int PRIMARY KEY)");
        await cluster.ExecuteAsync("INSERT INTO t VALUES (1)");
        await using var old = await cluster.ConnectAsync();
        await new NpgsqlCommand("SELECT 1", old).ExecuteScalarAsync();

        // A second compute of the same volume, as if a scheduler believed that the first is dead.
        var first = cluster.Supervisor.Definitions[^1];
        int[] ports = FreePorts.Take(2);
        string folder = Path.Combine(cluster.Paths.Folder, "compute-b");
        var environment = new Dictionary<string, string>(first.Environment)
        {
            ["REDOUBT_NAME"] = "compute-b", ["REDOUBT_DATA_DIR"] = folder, ["REDOUBT_PORT"] = $"{ports[0]}", ["REDOUBT_HTTP_LISTEN"] = $"127.0.0.1:{ports[1]}",
        };
        using var log = new LogFile(cluster.Paths.LogOf("compute-b"));
        var second = new ManagedProcess(first with { Name = "compute-b", DataDir = folder, Http = $"127.0.0.1:{ports[1]}", Environment = environment }, new Spawner(), log);
        await second.StartAsync();
        try
        {
            await using var newer = await ConnectAsync(ports[0]);
            await new NpgsqlCommand("INSERT INTO t VALUES (2)", newer).ExecuteNonQueryAsync();

            // The old writer either hears that it is fenced and drops its clients, or the commit waits for ever: it is never acknowledged.
            var late = new NpgsqlCommand("INSERT INTO t VALUES (3)", old).ExecuteNonQueryAsync();
            await Assert.ThrowsAnyAsync<Exception>(() => late.WaitAsync(TimeSpan.FromSeconds(10)));
            Assert.False(late.IsCompletedSuccessfully);
            await cluster.WaitForAsync("the old writer to be fenced", s => s.Processes[0].State == "fenced");

            await using var read = new NpgsqlCommand("SELECT string_agg(i::text, ',' ORDER BY i) FROM t", newer);
            Assert.Equal("1,2", await read.ExecuteScalarAsync());
        }
        finally
        {
            await second.StopAsync(TimeSpan.FromSeconds(30));
        }
    }

    private static async Task<NpgsqlConnection> ConnectAsync(int port)
    {
        var end = DateTime.UtcNow + TestCluster.Patience;
        while (true)
        {
            var connection = new NpgsqlConnection($"Host=127.0.0.1;Port={port};Username=postgres;Database=postgres;Pooling=false;Timeout=5;Command Timeout=0");
            try
            {
                await connection.OpenAsync();
                return connection;
            }
            catch (NpgsqlException) when (DateTime.UtcNow < end)
            {
                await connection.DisposeAsync();
                await Task.Delay(50);
            }
        }
    }
}
