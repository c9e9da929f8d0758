using System.Diagnostics;
using Npgsql;
using Npgsql.Replication;
using Npgsql.Replication.PgOutput;
using Npgsql.Replication.PgOutput.Messages;
using NpgsqlTypes;

namespace Redoubt.Cluster.Tests;

/// <summary>PostgreSQL's flush of its log is the quorum: while no write quorum answers nothing is acknowledged, shown, decoded or sent, whatever people do to the
/// sessions that wait; and what was, is there after the compute is killed.</summary>
public sealed class QuorumFlushTests
{
    private static readonly string[] Statements =
    [
        "INSERT INTO t VALUES ({0})",
        "BEGIN; INSERT INTO t VALUES ({0}); PREPARE TRANSACTION 'p{0}'",
        "COMMIT PREPARED 'ready{0}'",
        "CREATE TABLE made_{0} ()",
        "SET synchronous_commit = off; INSERT INTO t VALUES ({0}); SET synchronous_commit = on; INSERT INTO t VALUES (1000 + {0})",
    ];

    [Fact]
    public async Task What_waits_for_a_quorum_is_neither_told_nor_shown_nor_sent_whatever_is_done_to_it()
    {
        await using var cluster = await TestCluster.StartAsync(copies: 6, parameters: new Dictionary<string, string>
        {
            ["wal_level"] = "logical", ["max_prepared_transactions"] = "20", ["autovacuum"] = "off",
        });
        await cluster.ExecuteAsync("CREATE TABLE t (i int PRIMARY KEY); CREATE PUBLICATION everything FOR ALL TABLES");
        int number = 0;
        foreach (string how in new[] { "cancel", "terminate", "statement_timeout", "Ctrl-C", "client gone", "fast stop", "kill" })
        {
            int first = number;
            for (int i = 0; i < Statements.Length; i++)
            {
                await cluster.ExecuteAsync($"BEGIN; INSERT INTO t VALUES ({10_000 + number + i}); PREPARE TRANSACTION 'ready{number + i}'");
            }

            await RoundAsync(cluster, how, first);
            number += Statements.Length;
        }
    }

    [Fact]
    public async Task A_fresh_cluster_has_no_standby_slot_or_reserved_name_and_ending_all_others_ends_nobody_else()
    {
        await using var cluster = await TestCluster.StartAsync(copies: 1);
        Assert.Equal(0L, await cluster.QueryAsync<long>("SELECT count(*) FROM pg_stat_replication"));
        Assert.Equal(0L, await cluster.QueryAsync<long>("SELECT count(*) FROM pg_replication_slots"));
        Assert.Equal(string.Empty, await cluster.QueryAsync<string>("SHOW synchronous_standby_names"));

        ulong epoch = (await cluster.StatusAsync()).Epoch;
        await using var mine = await cluster.ConnectAsync();
        await using var other = await cluster.ConnectAsync();
        await new NpgsqlCommand("CREATE TABLE t (i int); SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()", mine).ExecuteNonQueryAsync();
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => new NpgsqlCommand("SELECT 1", other).ExecuteNonQueryAsync());
        await new NpgsqlCommand("INSERT INTO t VALUES (1)", mine).ExecuteNonQueryAsync();
        Assert.Equal(epoch, (await cluster.StatusAsync()).Epoch);
    }

    [Fact]
    public async Task A_record_that_any_role_can_write_disturbs_nobody_however_long_it_is()
    {
        await using var cluster = await TestCluster.StartAsync(copies: 1);
        await cluster.ExecuteAsync("CREATE ROLE anybody LOGIN; CREATE TABLE t (i int)");
        ulong epoch = (await cluster.StatusAsync()).Epoch;
        await using (var anybody = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(cluster.ConnectionString()) { Username = "anybody" }.ConnectionString))
        {
            await anybody.OpenAsync();
            await using var large = new NpgsqlCommand("SELECT pg_logical_emit_message(true, 'x', repeat('x', 100 * 1024 * 1024))", anybody);
            var message = large.ExecuteNonQueryAsync();
            await cluster.ExecuteAsync("INSERT INTO t VALUES (1)");
            await message.WaitAsync(TestCluster.Patience);
        }

        Assert.Equal(epoch, (await cluster.StatusAsync()).Epoch);
        await cluster.DrillAsync("kill", "compute");
        Assert.Equal(1L, await cluster.QueryAsync<long>("SELECT count(*) FROM t"));
    }

    [Fact]
    public async Task An_isolated_primary_stops_answering_and_says_why()
    {
        await using var cluster = await TestCluster.StartAsync(copies: 3);
        await cluster.ExecuteAsync("CREATE TABLE t AS SELECT 1 AS i");
        await using var reader = await cluster.ConnectAsync();
        await using var read = new NpgsqlCommand("SELECT count(*) FROM t", reader);
        Assert.Equal(1L, await read.ExecuteScalarAsync());

        await cluster.DrillAsync("partition", "compute");
        var clock = Stopwatch.StartNew();
        await Assert.ThrowsAnyAsync<NpgsqlException>(async () =>
        {
            while (clock.Elapsed < TestCluster.Patience)
            {
                await read.ExecuteScalarAsync();
                await Task.Delay(50);
            }
        });
        // Ten seconds after the last confirmation; it may be a moment old when the cut comes.
        Assert.InRange(clock.Elapsed.TotalSeconds, 5, 20);
        // pgshim may cut the session a moment before the agent sees the same.
        await UntilAsync(() => Task.FromResult(cluster.LogOf("compute").Contains("have confirmed epoch", StringComparison.Ordinal)), "the agent to say why");

        await cluster.DrillAsync("heal", "compute");
        Assert.Equal(1L, await cluster.QueryAsync<long>("SELECT count(*) FROM t"));
    }

    private static async Task RoundAsync(TestCluster cluster, string how, int number)
    {
        await using var looker = await cluster.ConnectAsync();
        await using var look = new NpgsqlCommand($"SELECT count(*) FROM t WHERE i >= {number} AND i < 1000 OR i >= {1000 + number} AND i < 10000", looker);
        await using var waiting = new NpgsqlCommand("SELECT count(*) FROM pg_stat_activity WHERE wait_event IN ('WalSync', 'WALWrite', 'WALSync')", looker);
        await look.ExecuteScalarAsync();
        await waiting.ExecuteScalarAsync();
        using var consumers = new CancellationTokenSource();
        ulong sent = 0;
        var decoded = new List<int>();
        var physical = FollowAsync(cluster, lsn => sent = Math.Max(sent, lsn), consumers.Token);
        var logical = DecodeAsync(cluster, $"s{number}", decoded, consumers.Token);

        // Warm what the waiters touch, so that none of them waits for a page instead.
        var sessions = new List<NpgsqlConnection>();
        for (int i = 0; i < Statements.Length; i++)
        {
            var session = await cluster.ConnectAsync();
            sessions.Add(session);
            await new NpgsqlCommand($"INSERT INTO t VALUES ({20_000 + number + i}); CREATE TABLE warm_{number + i} ()", session).ExecuteNonQueryAsync();
            if (how == "statement_timeout")
            {
                await new NpgsqlCommand("SET statement_timeout = 700", session).ExecuteNonQueryAsync();
            }
        }

        string[] copies = ["storage-1", "storage-3", "storage-5"];
        foreach (string copy in copies)
        {
            await cluster.DrillAsync("stop", copy);
        }

        var clients = new List<Process>();
        var waiters = sessions.Select((s, i) =>
        {
            string sql = string.Format(System.Globalization.CultureInfo.InvariantCulture, Statements[i], number + i);
            if (how is not ("Ctrl-C" or "client gone"))
            {
                return Task.Run(() => new NpgsqlCommand(sql, s).ExecuteNonQueryAsync());
            }

            var psql = Process.Start("psql", ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", $"{s.Port}", "-U", "postgres", "-c", sql, "postgres"]);
            clients.Add(psql);
            return Task.Run(async () =>
            {
                await psql.WaitForExitAsync();
                return psql.ExitCode == 0 ? 1 : throw new NpgsqlException($"psql ended with status {psql.ExitCode}");
            });
        }).ToArray();
        await UntilAsync(async () => (long)(await waiting.ExecuteScalarAsync())! >= 3, $"{how}: sessions to wait for the quorum");
        switch (how)
        {
            case "cancel" or "terminate":
                string end = how == "cancel" ? "pg_cancel_backend" : "pg_terminate_backend";
                await new NpgsqlCommand($"SELECT {end}(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'", looker).ExecuteNonQueryAsync();
                break;
            case "Ctrl-C":
                clients.ForEach(c => Process.Start("kill", ["-INT", $"{c.Id}"]).WaitForExit());
                break;
            case "client gone":
                clients.ForEach(c => c.Kill());
                break;
        }

        // Long enough for a wait that can be ended to have ended.
        await Task.Delay(1500);
        Assert.All(waiters, w => Assert.False(w.IsCompletedSuccessfully, $"{how}: a commit was acknowledged without a quorum"));
        Assert.Equal(0L, await look.ExecuteScalarAsync());

        if (how == "fast stop")
        {
            await cluster.DrillAsync("stop", "compute");
            await cluster.DrillAsync("start", "compute");
        }
        else
        {
            await cluster.DrillAsync("kill", "compute");
        }

        foreach (string copy in copies)
        {
            await cluster.DrillAsync("start", copy);
        }

        await consumers.CancelAsync();
        await physical;
        await logical;
        Assert.All(waiters, w => Assert.False(w.IsCompletedSuccessfully, $"{how}: a commit was acknowledged without a quorum"));
        await cluster.WaitForAsync("the cluster to be ready", s => s.Phase == "Ready");

        // What was acknowledged, decoded or sent is there.
        await using var after = await cluster.ConnectAsync();
        Assert.Equal((long)Statements.Length, await new NpgsqlCommand($"SELECT count(*) FROM t WHERE i >= {20_000 + number} AND i < {20_000 + number + Statements.Length}", after).ExecuteScalarAsync());
        foreach (int i in decoded)
        {
            Assert.True((bool)(await new NpgsqlCommand($"SELECT exists (SELECT FROM t WHERE i = {i})", after).ExecuteScalarAsync())!, $"{how}: {i} was decoded and is gone");
        }

        Assert.True((bool)(await new NpgsqlCommand($"SELECT pg_current_wal_insert_lsn() >= '{new NpgsqlLogSequenceNumber(sent)}'", after).ExecuteScalarAsync())!, $"{how}: log was sent that is gone");
        Assert.NotEqual(0UL, sent);
        sessions.ForEach(s => s.Dispose());
        clients.ForEach(c => c.Dispose());
        foreach (string left in await NamesAsync(after, "SELECT gid FROM pg_prepared_xacts"))
        {
            await new NpgsqlCommand($"ROLLBACK PREPARED '{left}'", after).ExecuteNonQueryAsync();
        }
    }

    private static async Task FollowAsync(TestCluster cluster, Action<ulong> sent, CancellationToken stop)
    {
        try
        {
            await using var connection = new PhysicalReplicationConnection(cluster.ConnectionString());
            await connection.Open(stop);
            var system = await connection.IdentifySystem(stop);
            await foreach (var message in connection.StartReplication(system.XLogPos, stop))
            {
                sent((ulong)message.WalStart + (ulong)message.Data.Length);
                await message.Data.CopyToAsync(Stream.Null, stop);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or NpgsqlException or IOException)
        {
            // The compute was killed, or the round is over.
        }
    }

    private static async Task DecodeAsync(TestCluster cluster, string slotName, List<int> decoded, CancellationToken stop)
    {
        try
        {
            await using var connection = new LogicalReplicationConnection(cluster.ConnectionString());
            await connection.Open(stop);
            var slot = await connection.CreatePgOutputReplicationSlot(slotName, temporarySlot: true, cancellationToken: stop);
            await foreach (var message in connection.StartReplication(slot, new PgOutputReplicationOptions("everything", PgOutputProtocolVersion.V1), stop))
            {
                if (message is InsertMessage insert)
                {
                    await foreach (var value in insert.NewRow)
                    {
                        decoded.Add(int.Parse(await value.Get<string>(stop), System.Globalization.CultureInfo.InvariantCulture));
                    }
                }

                connection.SetReplicationStatus(message.WalEnd);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or NpgsqlException or IOException)
        {
            // As above.
        }
    }

    private static async Task<List<string>> NamesAsync(NpgsqlConnection connection, string sql)
    {
        var names = new List<string>();
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            names.Add(reader.GetString(0));
        }

        return names;
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var clock = Stopwatch.StartNew();
        while (!await condition())
        {
            Assert.True(clock.Elapsed < TestCluster.Patience, $"waited in vain for {what}");
            await Task.Delay(20);
        }
    }
}
