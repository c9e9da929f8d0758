using Npgsql;

namespace Redoubt.Verify.Workloads;

/// <summary>Sessions that meet on the same rows and pages: multixacts of all kinds, locks on updated rows, splits under each other's
/// hands, killed index items, prepared transactions between others.</summary>
internal static class ConcurrentWorkload
{
    private const int Accounts = 400;

    public static async Task RunAsync(StockPostgres server, string database, WorkloadScale scale, CancellationToken cancel)
    {
        await server.ExecuteAsync(
            $"""
            CREATE TABLE acc (id int PRIMARY KEY, v int, k int, p point, a int[], t text, r int4range) WITH (fillfactor = 60);
            CREATE INDEX ON acc (k);
            CREATE INDEX ON acc USING hash (k);
            CREATE INDEX ON acc USING gist (p);
            CREATE INDEX ON acc USING gin (a);
            CREATE INDEX ON acc USING spgist (t);
            CREATE INDEX ON acc USING brin (v);
            CREATE INDEX ON acc USING bloom (v, k);
            CREATE INDEX ON acc USING gist (r);
            INSERT INTO acc SELECT i, 0, i, point(i, i), ARRAY[i, i % 7], 't' || i, int4range(i, i + 3) FROM generate_series(1, {Accounts}) i;
            CREATE TABLE locked (id int PRIMARY KEY, v int) WITH (fillfactor = 50);
            INSERT INTO locked SELECT i, 0 FROM generate_series(1, 50) i;
            CREATE TABLE ref (id serial, acc int REFERENCES acc (id));
            """,
            cancel,
            database).ConfigureAwait(false);

        await LockUpdatedAsync(server, database, cancel).ConfigureAwait(false);
        await MultiXactsAsync(server, database, scale.MultiXacts, cancel).ConfigureAwait(false);
        await Task.WhenAll(Enumerable.Range(0, scale.Sessions).Select(seed => SessionAsync(server, database, seed, scale.SessionSteps, cancel)))
            .ConfigureAwait(false);
    }

    /// <summary>Locks the newer versions of a row that another transaction is changing, and of one that it has changed.</summary>
    private static async Task LockUpdatedAsync(StockPostgres server, string database, CancellationToken cancel)
    {
        await using var first = await OpenAsync(server, database, cancel).ConfigureAwait(false);
        await using var second = await OpenAsync(server, database, cancel).ConfigureAwait(false);
        await RunAsync(second, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM acc", cancel).ConfigureAwait(false);
        await RunAsync(first, "BEGIN; UPDATE acc SET v = v + 1 WHERE id = 1; UPDATE acc SET v = v + 1 WHERE id = 1; UPDATE acc SET v = v + 1, k = -1 WHERE id = 2", cancel).ConfigureAwait(false);
        await RunAsync(second, "SELECT id FROM acc WHERE id IN (1, 2) FOR KEY SHARE", cancel).ConfigureAwait(false);
        await RunAsync(first, "COMMIT", cancel).ConfigureAwait(false);
        await RunAsync(second, "SELECT id FROM acc WHERE id = 2 FOR KEY SHARE; COMMIT", cancel).ConfigureAwait(false);
    }

    /// <summary>A row lock that is held while others join it, each in a transaction of its own: one more multixact each time.</summary>
    private static async Task MultiXactsAsync(StockPostgres server, string database, int amount, CancellationToken cancel)
    {
        await server.ExecuteAsync(
            """
            CREATE OR REPLACE PROCEDURE join_locks(amount int) LANGUAGE plpgsql AS $$
            DECLARE found_id int;
            BEGIN
              FOR i IN 1..amount LOOP
                SELECT id INTO found_id FROM locked WHERE id = 10 FOR SHARE;
                IF i % 10 = 0 AND i < 3000 THEN
                  SELECT id INTO found_id FROM locked WHERE id = 11 + i % 20 FOR KEY SHARE;
                  UPDATE locked SET v = v + 1 WHERE id = 11 + i % 20;
                END IF;
                COMMIT;
              END LOOP;
            END $$
            """,
            cancel,
            database).ConfigureAwait(false);
        await using var holder = await OpenAsync(server, database, cancel).ConfigureAwait(false);
        await using var share = await OpenAsync(server, database, cancel).ConfigureAwait(false);
        await using var joiner = await OpenAsync(server, database, cancel).ConfigureAwait(false);
        await RunAsync(holder, "BEGIN; SELECT id FROM locked WHERE id BETWEEN 10 AND 40 FOR KEY SHARE", cancel).ConfigureAwait(false);
        await RunAsync(share, "BEGIN; SAVEPOINT a; SELECT id FROM locked WHERE id = 10 FOR SHARE; SAVEPOINT b; SELECT id FROM locked WHERE id = 10 FOR SHARE", cancel).ConfigureAwait(false);
        await RunAsync(joiner, "SET synchronous_commit = off", cancel).ConfigureAwait(false);
        await RunAsync(joiner, $"CALL join_locks({amount})", cancel).ConfigureAwait(false);
        await RunAsync(share, "ROLLBACK", cancel).ConfigureAwait(false);
        await RunAsync(holder, "COMMIT", cancel).ConfigureAwait(false);
    }

    private static async Task SessionAsync(StockPostgres server, string database, int seed, int steps, CancellationToken cancel)
    {
        var random = new Random(seed);
        await using var session = await OpenAsync(server, database, cancel).ConfigureAwait(false);
        await RunAsync(session, "SET deadlock_timeout = '20ms'; SET lock_timeout = '2s'", cancel).ConfigureAwait(false);
        for (int step = 0; step < steps; step++)
        {
            int id = random.Next(1, Accounts);
            int other = random.Next(1, Accounts);
            string sql = random.Next(12) switch
            {
                0 => $"INSERT INTO acc SELECT 100000 + {seed} * 100000 + {step}, {step}, {id}, point({id}, {other}), ARRAY[{id}, {step}], md5('{step}'), int4range({id}, {id} + 9)",
                1 => $"DELETE FROM acc WHERE id = 100000 + {random.Next(6)} * 100000 + {random.Next(steps)}",
                2 => $"UPDATE acc SET v = v + 1 WHERE id = {id}",
                3 => $"UPDATE acc SET k = k + 1, p = point({other}, k), t = md5(k::text), r = int4range({id}, {id} + 5) WHERE id = {id}",
                4 => $"BEGIN; UPDATE acc SET v = v + 1 WHERE id = {id}; SELECT 1 FROM acc WHERE id = {other} FOR SHARE; UPDATE acc SET a = a || {step} WHERE id = {other}; COMMIT",
                5 => $"BEGIN; SELECT 1 FROM acc WHERE id = {id} FOR KEY SHARE; SAVEPOINT s; UPDATE acc SET v = v + 1 WHERE id = {id}; ROLLBACK TO s; SELECT 1 FROM acc WHERE id = {other} FOR NO KEY UPDATE; COMMIT",
                6 => $"INSERT INTO ref (acc) VALUES ({id}), ({other}), ({id})",
                7 => $"INSERT INTO acc (id, v) VALUES ({id}, 1) ON CONFLICT (id) DO UPDATE SET v = acc.v + 2",
                8 => $"BEGIN; UPDATE acc SET v = v - 1 WHERE id = {id}; PREPARE TRANSACTION 'p{seed}_{step}'; {(step % 2 == 0 ? "COMMIT" : "ROLLBACK")} PREPARED 'p{seed}_{step}'",
                9 => $"BEGIN; DELETE FROM acc WHERE k = {id} AND id > {Accounts}; ROLLBACK",
                10 => $"SET enable_seqscan = off; SELECT count(*) FROM acc WHERE k = {id}; SELECT count(*) FROM acc WHERE p <@ box(point({id}, {id}), point({other}, {other}))",
                _ => step % 20 == 0 ? "VACUUM acc" : $"SELECT 1 FROM acc WHERE id = {id} FOR UPDATE",
            };
            await TryAsync(session, sql, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Runs statements one by one; a deadlock or a lock timeout rolls back, as sessions that meet must expect.</summary>
    private static async Task TryAsync(NpgsqlConnection session, string sql, CancellationToken cancel)
    {
        try
        {
            foreach (string statement in sql.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                await RunAsync(session, statement, cancel).ConfigureAwait(false);
            }
        }
        catch (PostgresException conflict) when (conflict.SqlState is PostgresErrorCodes.DeadlockDetected
            or PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.ForeignKeyViolation)
        {
            await RunAsync(session, "ROLLBACK", cancel).ConfigureAwait(false);
        }
    }

    private static async Task<NpgsqlConnection> OpenAsync(StockPostgres server, string database, CancellationToken cancel)
    {
        var connection = new NpgsqlConnection(server.ConnectionString(database));
        await connection.OpenAsync(cancel).ConfigureAwait(false);
        return connection;
    }

    private static async Task RunAsync(NpgsqlConnection session, string sql, CancellationToken cancel)
    {
        var command = new NpgsqlCommand(sql, session);
        await using (command.ConfigureAwait(false))
        {
            await command.ExecuteNonQueryAsync(cancel).ConfigureAwait(false);
        }
    }
}
