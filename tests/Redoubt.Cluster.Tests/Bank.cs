using System.Collections.Concurrent;
using Npgsql;

namespace Redoubt.Cluster.Tests;

/// <summary>
/// pgbench's tables and transaction, driven by clients that reconnect and remember: what the server said is committed, and what was
/// asked to be committed when the connection broke (nobody knows then).
/// </summary>
internal sealed class Bank(TestCluster cluster, int scale)
{
    private readonly ConcurrentDictionary<string, byte> _committed = new();
    private readonly ConcurrentDictionary<string, byte> _unknown = new();

    /// <summary>Transactions that a client saw committed.</summary>
    public int Committed => _committed.Count;

    public async Task CreateAsync()
    {
        await cluster.ExecuteAsync($"""
            CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88)) WITH (fillfactor = 100);
            CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84)) WITH (fillfactor = 100);
            CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84)) WITH (fillfactor = 100);
            CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
            INSERT INTO pgbench_branches SELECT i, 0, '' FROM generate_series(1, {scale}) i;
            INSERT INTO pgbench_tellers SELECT i, (i - 1) / 10 + 1, 0, '' FROM generate_series(1, {scale * 10}) i;
            INSERT INTO pgbench_accounts SELECT i, (i - 1) / 100000 + 1, 0, '' FROM generate_series(1, {scale * 100000}) i;
            """);
        await cluster.ExecuteAsync("VACUUM ANALYZE");
    }

    /// <summary>Clients that work until <paramref name="stop"/>, through every kind of breakdown.</summary>
    public Task RunAsync(int clients, CancellationToken stop) => Task.WhenAll(Enumerable.Range(0, clients).Select(client => Task.Run(() => ClientAsync(client, stop), CancellationToken.None)));

    /// <summary>Every seen commit is there, nothing is there that nobody asked for, and all sums agree.</summary>
    public async Task AssertNothingLostAsync()
    {
        var stored = new HashSet<string>();
        await using var connection = await cluster.ConnectAsync();
        await using (var command = new NpgsqlCommand("SELECT filler::text FROM pgbench_history", connection))
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
            {
                Assert.True(stored.Add(reader.GetString(0).Trim()), $"{reader.GetString(0)} is there twice");
            }
        }

        var lost = _committed.Keys.Where(key => !stored.Contains(key)).ToList();
        Assert.True(lost.Count == 0, $"{lost.Count} of {_committed.Count} acknowledged transactions are lost, such as {string.Join(", ", lost.Take(5))}");
        Assert.DoesNotContain(stored, key => !_committed.ContainsKey(key) && !_unknown.ContainsKey(key));
        await using var sums = new NpgsqlCommand(
            """
            SELECT (SELECT sum(abalance) FROM pgbench_accounts) || ' ' || (SELECT sum(tbalance) FROM pgbench_tellers) || ' '
                || (SELECT sum(bbalance) FROM pgbench_branches) || ' ' || (SELECT coalesce(sum(delta), 0) FROM pgbench_history)
            """,
            connection);
        string[] values = ((string)(await sums.ExecuteScalarAsync())!).Split(' ');
        Assert.Single(values.Distinct());
    }

    private async Task ClientAsync(int client, CancellationToken stop)
    {
        var random = new Random(client);
        NpgsqlConnection? connection = null;
        for (int number = 0; !stop.IsCancellationRequested; number++)
        {
            string key = $"{client}-{number}";
            bool committing = false;
            try
            {
                connection ??= await cluster.ConnectAsync();
                int aid = random.Next(1, (scale * 100000) + 1), tid = random.Next(1, (scale * 10) + 1), bid = random.Next(1, scale + 1), delta = random.Next(-5000, 5001);
                await using var transaction = await connection.BeginTransactionAsync(CancellationToken.None);
                await using var work = new NpgsqlCommand(
                    $"""
                    UPDATE pgbench_accounts SET abalance = abalance + {delta} WHERE aid = {aid};
                    UPDATE pgbench_tellers SET tbalance = tbalance + {delta} WHERE tid = {tid};
                    UPDATE pgbench_branches SET bbalance = bbalance + {delta} WHERE bid = {bid};
                    INSERT INTO pgbench_history VALUES ({tid}, {bid}, {aid}, {delta}, now(), '{key}')
                    """,
                    connection,
                    transaction);
                await work.ExecuteNonQueryAsync(CancellationToken.None);
                committing = true;
                await transaction.CommitAsync(CancellationToken.None);
                _committed[key] = 0;
            }
            catch (Exception e) when (e is NpgsqlException or IOException or InvalidOperationException or ObjectDisposedException)
            {
                if (committing)
                {
                    _unknown[key] = 0;
                }

                if (connection is not null)
                {
                    await connection.DisposeAsync();
                    connection = null;
                }
            }
        }

        if (connection is not null)
        {
            await connection.DisposeAsync();
        }
    }
}
