using System.Diagnostics;
using Npgsql;
using Redoubt.Protocol;

namespace Redoubt.Compute.Tests;

/// <summary>The agent with real storage processes and a stock PostgreSQL.</summary>
public class PrimaryTests
{
    private const string Setup = """
        CREATE EXTENSION amcheck;
        CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL, note text);
        INSERT INTO account SELECT g, g, repeat(md5(g::text), 10) FROM generate_series(1, 20000) g;
        CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY);
        INSERT INTO scratch SELECT generate_series(1, 100);
        CREATE SEQUENCE ticket;
        SELECT nextval('ticket');
        CREATE DATABASE copied STRATEGY FILE_COPY;
        UPDATE account SET balance = balance + 1 WHERE id % 3 = 0;
        """;

    private const string Check = """
        SELECT count(bt_index_check(c.oid, true)) || '/' || (SELECT count(*) FROM pg_class t, LATERAL verify_heapam(t.oid) WHERE t.relkind IN ('r', 'm', 't') AND t.relpersistence = 'p')
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
        WHERE a.amname = 'btree' AND c.relpersistence = 'p' AND i.indisready AND i.indisvalid
        """;

    [Theory]
    [InlineData(3, 1, 17)]
    [InlineData(1, 3, 17)]
    [InlineData(1, 1, 18)]
    public async Task What_was_committed_is_there_after_the_agent_is_killed_and_its_disk_is_gone(int copies, int groups, int version)
    {
        await using var volume = await RealVolume.StartAsync(VolumeShape.ForCopies(copies, groups), version);
        var first = await volume.StartAgentAsync("compute");
        foreach (string statement in Setup.Split(";\n", StringSplitOptions.RemoveEmptyEntries))
        {
            await first.ExecuteAsync(statement);
        }

        // A transaction that never ends: it must not have happened.
        await using var open = new NpgsqlConnection(first.ConnectionString);
        await open.OpenAsync(TestContext.Current.CancellationToken);
        await using (var begin = new NpgsqlCommand("BEGIN; DELETE FROM account WHERE id > 100", open))
        {
            await begin.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        }

        await first.ExecuteAsync("UPDATE account SET note = 'last' WHERE id = 7");
        string sum = await first.QueryAsync("SELECT sum(balance::bigint * id) FROM account");
        long epoch = (await first.StatusAsync()).GetProperty("epoch").GetInt64();
        first.Kill();
        Directory.Delete(first.Folder, recursive: true);

        var second = await volume.StartAgentAsync("compute");
        Assert.True((await second.StatusAsync()).GetProperty("epoch").GetInt64() > epoch);
        Assert.Equal(sum, await second.QueryAsync("SELECT sum(balance::bigint * id) FROM account"));
        Assert.Equal("20000", await second.QueryAsync("SELECT count(*) FROM account"));
        Assert.Equal("last", await second.QueryAsync("SELECT note FROM account WHERE id = 7"));
        Assert.Equal("0", await second.QueryAsync("SELECT count(*) FROM scratch"));
        Assert.True(long.Parse(await second.QueryAsync("SELECT nextval('ticket')"), System.Globalization.CultureInfo.InvariantCulture) > 1);
        Assert.EndsWith("/0", await second.QueryAsync(Check), StringComparison.Ordinal);
        await second.ExecuteAsync("INSERT INTO scratch SELECT generate_series(1, 10)");
        Assert.Equal(0, await second.StopAsync());

        var third = await volume.StartAgentAsync("compute");
        Assert.Equal(sum, await third.QueryAsync("SELECT sum(balance::bigint * id) FROM account"));
        Assert.Contains("redoubt_commit_stage_seconds_count{stage=\"quorum\"}", await third.MetricsAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_writer_fences_the_first_which_acknowledges_nothing_more_and_ends_with_status_3()
    {
        await using var volume = await RealVolume.StartAsync(VolumeShape.ForCopies(3));
        var old = await volume.StartAgentAsync("compute-a");
        await old.ExecuteAsync("CREATE TABLE t (id int)");
        int postgres = (await old.StatusAsync()).GetProperty("postgresPid").GetInt32();
        var next = await volume.StartAgentAsync("compute-b");
        await old.Process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        Assert.Equal(3, old.Process.ExitCode);
        Assert.False(Directory.Exists($"/proc/{postgres}"));
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => old.ExecuteAsync("INSERT INTO t VALUES (1)"));
        await next.ExecuteAsync("INSERT INTO t VALUES (2)");
        Assert.Equal("1", await next.QueryAsync("SELECT count(*) FROM t"));
    }

    [Fact]
    public async Task Commits_wait_without_a_write_quorum_and_go_on_when_it_returns()
    {
        await using var volume = await RealVolume.StartAsync(VolumeShape.ForCopies(3));
        var agent = await volume.StartAgentAsync("compute");
        await agent.ExecuteAsync("CREATE TABLE t (id int)");
        Pause(volume.Storage(0), "-STOP");
        await agent.ExecuteAsync("INSERT INTO t VALUES (1)");
        Pause(volume.Storage(1), "-STOP");
        var waiting = agent.ExecuteAsync("INSERT INTO t VALUES (2)");
        await Assert.ThrowsAsync<TimeoutException>(() => waiting.WaitAsync(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken));
        Pause(volume.Storage(1), "-CONT");
        Pause(volume.Storage(0), "-CONT");
        await waiting.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        Assert.Equal("2", await agent.QueryAsync("SELECT count(*) FROM t"));
    }

    private static void Pause(Process process, string signal)
    {
        using var kill = Process.Start("kill", [signal, process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }
}
