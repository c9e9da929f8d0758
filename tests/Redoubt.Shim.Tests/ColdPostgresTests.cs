using Npgsql;
using Redoubt.Cli.Toolchain;

namespace Redoubt.Shim.Tests;

/// <summary>A PostgreSQL whose files are all holes behaves like the one whose pages it gets, on every path by which it reads files.</summary>
public sealed class ColdPostgresTests
{
    private const string Schema = """
        CREATE EXTENSION amcheck;
        CREATE EXTENSION pg_prewarm;
        CREATE TABLE accounts (aid int PRIMARY KEY, bid int NOT NULL, abalance int NOT NULL, filler text NOT NULL);
        INSERT INTO accounts SELECT i, i % 20, 0, repeat(md5(i::text), 3) FROM generate_series(1, 60000) i;
        CREATE INDEX ON accounts (bid);
        CREATE TABLE history (aid int, delta int, at timestamptz DEFAULT now());
        CREATE TABLE wide (id int PRIMARY KEY, doc text);
        ALTER TABLE wide ALTER doc SET STORAGE EXTERNAL;
        INSERT INTO wide SELECT i, repeat(md5(i::text), 500) FROM generate_series(1, 60) i;
        CREATE UNLOGGED TABLE scratch AS SELECT generate_series(1, 1000) i;
        CREATE TABLE locked (id int PRIMARY KEY, v int);
        INSERT INTO locked SELECT i, 0 FROM generate_series(1, 100) i;
        VACUUM (ANALYZE) accounts;
        DELETE FROM accounts WHERE aid % 7 = 0 AND aid < 20000;
        """;

    [Theory]
    [InlineData(17)]
    [InlineData(18)]
    public async Task Cold_files_serve_everything_that_warm_files_did(int major)
    {
        await using var warm = await TestPostgres.InitializeAsync(major);
        await warm.StartAsync();
        foreach (string statement in Schema.Split(";\n"))
        {
            await warm.QueryAsync(statement);
        }

        await LockSharedAsync(warm);
        object? expected = await warm.QueryAsync(DigestOfAll);
        await warm.StopAsync();

        await using var cold = await warm.CopySparseAsync();
        string socket = Path.Combine(cold.Folder, "agent.sock");
        string locks = Path.Combine(cold.Folder, "locks");
        await File.WriteAllBytesAsync(locks, new byte[256 * 1024]);
        File.SetUnixFileMode(locks, (UnixFileMode)0b110_110_110);
        await using var server = new PageServer(socket, warm.Data);
        await cold.StartAsync(
            new Dictionary<string, string>
            {
                ["LD_PRELOAD"] = await PgShim.EnsureAsync(default),
                ["REDOUBT_SHIM_SOCKET"] = socket,
                ["REDOUBT_SHIM_LOCKS"] = locks,
                ["REDOUBT_SHIM_TIMEOUT_MS"] = "5000",
            },
            "allow_in_place_tablespaces=on",
            "autovacuum=off");

        Assert.Equal(expected, await cold.QueryAsync(DigestOfAll));
        // A sequential scan asks for runs of pages, not for single ones.
        Assert.Contains(server.Gets.Values.SelectMany(q => q), get => get.Count >= 8);

        // Bitmap scans announce their pages; what is already data is not asked for.
        await cold.QueryAsync("SELECT pg_prewarm('wide', 'prefetch')");
        Assert.NotNull(await cold.QueryAsync("SELECT sum(length(doc)) FROM wide"));

        await TrafficAsync(cold, seconds: 3);
        await cold.QueryAsync("CREATE INDEX accounts_balance ON accounts (abalance, aid)");
        await cold.QueryAsync("CREATE INDEX accounts_hash ON accounts USING hash (aid)");
        Assert.Equal(1L, await cold.QueryAsync("SET enable_seqscan = off; SET enable_indexonlyscan = off; DROP INDEX accounts_balance; SELECT count(*) FROM accounts WHERE aid = 30001"));
        Assert.Equal(0L, await cold.QueryAsync("SELECT (SELECT sum(abalance) FROM accounts) - (SELECT coalesce(sum(delta), 0) FROM history)"));
        await cold.QueryAsync("VACUUM accounts");
        await cold.QueryAsync("UPDATE locked SET v = v + 1");
        await CheckAsync(cold, "postgres");

        // Both ways of copying a database, and moving a table: PostgreSQL copies files by itself.
        long copied = (long)(await cold.QueryAsync("SELECT count(*) FROM accounts"))!;
        await cold.QueryAsync("CREATE DATABASE by_file TEMPLATE template1 STRATEGY file_copy");
        await cold.QueryAsync("CREATE DATABASE by_log TEMPLATE template1 STRATEGY wal_log");
        await CheckAsync(cold, "by_file", create: true);
        await CheckAsync(cold, "by_log", create: true);
        await cold.QueryAsync("CREATE TABLESPACE place LOCATION ''");
        await cold.QueryAsync("ALTER TABLE accounts SET TABLESPACE place");
        await cold.QueryAsync("ALTER DATABASE by_file SET TABLESPACE place");
        Assert.Equal(copied, await cold.QueryAsync("SELECT count(*) FROM accounts"));
        await CheckAsync(cold, "by_file");
        await CheckAsync(cold, "postgres");

        // Nothing that PostgreSQL itself made, copied or extended is a hole: with storage gone it is all still there.
        server.FailWith = 2;
        await cold.QueryAsync("SELECT pg_prewarm('accounts'), pg_prewarm('history'), pg_prewarm('accounts_hash')");
        await cold.StopAsync();
        Assert.DoesNotContain("pgshim: no answer", cold.Log, StringComparison.Ordinal);
        Assert.DoesNotContain("PANIC", cold.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_an_answer_a_read_fails_and_goes_on_when_storage_is_back()
    {
        await using var warm = await TestPostgres.InitializeAsync(17);
        await warm.StartAsync();
        await warm.QueryAsync("CREATE TABLE t AS SELECT i FROM generate_series(1, 50000) i");
        await warm.StopAsync();
        await using var cold = await warm.CopySparseAsync();
        string socket = Path.Combine(cold.Folder, "agent.sock");
        await using var server = new PageServer(socket, warm.Data);
        await cold.StartAsync(new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = await PgShim.EnsureAsync(default),
            ["REDOUBT_SHIM_SOCKET"] = socket,
            ["REDOUBT_SHIM_TIMEOUT_MS"] = "400",
        });
        await using var connection = new NpgsqlConnection(cold.ConnectionString());
        await connection.OpenAsync();
        await using var count = new NpgsqlCommand("SELECT count(*) FROM t", connection);
        await using var plan = new NpgsqlCommand("EXPLAIN SELECT count(*) FROM t", connection);
        await plan.ExecuteNonQueryAsync();

        server.FailWith = 11;
        var failure = await Assert.ThrowsAsync<PostgresException>(() => count.ExecuteScalarAsync());
        Assert.Equal(PostgresErrorCodes.IoError, failure.SqlState);
        Assert.Contains("pgshim: no answer from storage for block 0", cold.Log, StringComparison.Ordinal);

        server.FailWith = 0;
        Assert.Equal(50000L, await cold.QueryAsync("SELECT count(*) FROM t"));
    }

    private const string DigestOfAll = """
        SELECT md5(string_agg(part, '|')) FROM (
          SELECT md5(string_agg(a::text, ',' ORDER BY aid)) part FROM accounts a UNION ALL
          SELECT md5(string_agg(md5(w::text), ',' ORDER BY id)) FROM wide w UNION ALL
          SELECT md5(string_agg(l::text, ',' ORDER BY id)) FROM locked l UNION ALL
          SELECT count(*)::text FROM scratch UNION ALL
          SELECT md5(string_agg(relname || relpages, ',' ORDER BY oid)) FROM pg_class) parts
        """;

    /// <summary>Two transactions lock the same rows, so that their xmax is a multixact.</summary>
    private static async Task LockSharedAsync(TestPostgres postgres)
    {
        await using var one = new NpgsqlConnection(postgres.ConnectionString());
        await using var two = new NpgsqlConnection(postgres.ConnectionString());
        await one.OpenAsync();
        await two.OpenAsync();
        await using var first = await one.BeginTransactionAsync();
        await using var second = await two.BeginTransactionAsync();
        foreach (var connection in new[] { one, two })
        {
            await using var command = new NpgsqlCommand("SELECT count(*) FROM (SELECT 1 FROM locked FOR KEY SHARE) l", connection);
            await command.ExecuteScalarAsync();
        }

        await first.CommitAsync();
        await second.CommitAsync();
    }

    private static async Task TrafficAsync(TestPostgres postgres, int seconds)
    {
        var end = DateTime.UtcNow.AddSeconds(seconds);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async client =>
        {
            var random = new Random(client);
            await using var connection = new NpgsqlConnection(postgres.ConnectionString());
            await connection.OpenAsync();
            await using var command = new NpgsqlCommand(
                "WITH u AS (UPDATE accounts SET abalance = abalance + $2 WHERE aid = $1 RETURNING aid) INSERT INTO history (aid, delta) SELECT aid, $2 FROM u",
                connection);
            command.Parameters.Add(new NpgsqlParameter<int>());
            command.Parameters.Add(new NpgsqlParameter<int>());
            while (DateTime.UtcNow < end)
            {
                ((NpgsqlParameter<int>)command.Parameters[0]).TypedValue = random.Next(1, 60001);
                ((NpgsqlParameter<int>)command.Parameters[1]).TypedValue = random.Next(-5000, 5001);
                await command.ExecuteNonQueryAsync();
            }
        }));
    }

    private static async Task CheckAsync(TestPostgres postgres, string database, bool create = false)
    {
        if (create)
        {
            await postgres.QueryAsync("CREATE EXTENSION amcheck", database);
        }

        await postgres.QueryAsync(
            "SELECT count(bt_index_check(c.oid, heapallindexed => true)) FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE amname = 'btree' AND relkind = 'i' AND relpersistence = 'p'",
            database);
        Assert.Equal(
            0L,
            await postgres.QueryAsync("SELECT count(*) FROM pg_class c, LATERAL verify_heapam(c.oid) WHERE relkind IN ('r', 't', 'm') AND relpersistence = 'p'", database));
    }
}
