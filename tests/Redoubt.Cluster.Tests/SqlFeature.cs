using Npgsql;

namespace Redoubt.Cluster.Tests;

/// <summary>One thing that PostgreSQL can do: done before the compute is wiped, looked at after its cold start.</summary>
/// <param name="Name">What.</param>
/// <param name="Before">Statements, each in a transaction of its own; empty for those that need more than SQL.</param>
/// <param name="After">Queries and what each must return, as text.</param>
/// <param name="Act">What needs more than SQL, before the wipe; its session stays open and dies with the compute.</param>
internal sealed record SqlFeature(string Name, string[] Before, (string Query, string Expected)[] After, Func<TestCluster, Task>? Act = null)
{
    public static IReadOnlyList<SqlFeature> All { get; } =
    [
        new(
            "btree and unique constraint",
            [
                "CREATE TABLE bt (i int PRIMARY KEY, s text UNIQUE)",
                "INSERT INTO bt SELECT i, md5(i::text) FROM generate_series(1, 30000) i",
                "DELETE FROM bt WHERE i % 3 = 0",
                "VACUUM bt",
                "INSERT INTO bt SELECT i, md5(i::text) FROM generate_series(30001, 40000) i",
            ],
            [
                ("SET enable_seqscan = off; SELECT count(*) FROM bt WHERE i BETWEEN 1 AND 100000", "30000"),
                ("SET enable_seqscan = off; SELECT i FROM bt WHERE s = md5('77')", "77"),
                ("INSERT INTO bt VALUES (77, 'new') ON CONFLICT DO NOTHING RETURNING i", ""),
                ("INSERT INTO bt VALUES (3, md5('77')) ON CONFLICT DO NOTHING RETURNING i", ""),
                ("SELECT bt_index_check('bt_pkey', true)::text", ""),
            ]),
        new(
            "TOAST",
            ["CREATE TABLE toasted (i int, doc text)", "ALTER TABLE toasted ALTER doc SET STORAGE EXTERNAL", "INSERT INTO toasted SELECT i, repeat(md5(i::text), 3000) FROM generate_series(1, 40) i",
             "UPDATE toasted SET doc = doc || 'x' WHERE i = 7", "DELETE FROM toasted WHERE i = 8"],
            [("SELECT count(*) || ' ' || sum(length(doc)) FROM toasted", "39 3744001"), ("SELECT bool_and(left(doc, 32) = md5(i::text)) FROM toasted", "True")]),
        new(
            "sequence",
            ["CREATE SEQUENCE seq", "SELECT nextval('seq') FROM generate_series(1, 100)", "CREATE TABLE serials (i bigserial, s text)", "INSERT INTO serials (s) VALUES ('a'), ('b')"],
            [("SELECT nextval('seq') > 100", "True"), ("INSERT INTO serials (s) VALUES ('c') RETURNING i > 2", "True")]),
        new(
            "subtransactions",
            [
                "CREATE TABLE subs (i int)",
                """
                DO $$ BEGIN FOR i IN 1..300 LOOP BEGIN INSERT INTO subs VALUES (i); IF i % 2 = 0 THEN RAISE EXCEPTION 'undo'; END IF; EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$
                """,
                "BEGIN; INSERT INTO subs VALUES (1000); SAVEPOINT a; INSERT INTO subs VALUES (1001); ROLLBACK TO a; INSERT INTO subs VALUES (1002); RELEASE a; COMMIT",
            ],
            [("SELECT count(*) || ' ' || sum(i) FROM subs", "152 24502"), ("SELECT count(*) FROM subs WHERE i % 2 = 0 AND i < 1000", "0")]),
        new(
            "row locks and multixacts",
            ["CREATE TABLE locks (i int PRIMARY KEY, v int)", "CREATE TABLE refs (i int REFERENCES locks)", "INSERT INTO locks SELECT i, 0 FROM generate_series(1, 500) i"],
            [("UPDATE locks SET v = v + 1; SELECT sum(v) FROM locks", "500"), ("SELECT count(*) FROM refs", "500"), ("DELETE FROM refs; DELETE FROM locks; SELECT count(*) FROM locks", "0")],
            async cluster =>
            {
                await using var one = await cluster.ConnectAsync();
                await using var two = await cluster.ConnectAsync();
                await new NpgsqlCommand("BEGIN; INSERT INTO refs SELECT i FROM locks WHERE i <= 250", one).ExecuteNonQueryAsync();
                await new NpgsqlCommand("BEGIN; SELECT count(*) FROM (SELECT 1 FROM locks FOR KEY SHARE) l; INSERT INTO refs SELECT i FROM locks WHERE i > 250", two).ExecuteNonQueryAsync();
                await new NpgsqlCommand("SELECT count(*) FROM (SELECT 1 FROM locks FOR KEY SHARE) l; COMMIT", one).ExecuteNonQueryAsync();
                await new NpgsqlCommand("COMMIT", two).ExecuteNonQueryAsync();
            }),
        new(
            "VACUUM, FULL and FREEZE",
            ["CREATE TABLE vac AS SELECT i, repeat('v', 200) p FROM generate_series(1, 20000) i", "CREATE INDEX ON vac (i)", "DELETE FROM vac WHERE i % 2 = 0", "VACUUM (FREEZE, ANALYZE) vac",
             "CREATE TABLE vacfull AS SELECT i FROM generate_series(1, 20000) i", "DELETE FROM vacfull WHERE i > 100", "VACUUM FULL vacfull"],
            [("SELECT count(*) FROM vac", "10000"), ("SET enable_seqscan = off; SELECT count(*) FROM vac WHERE i < 101", "50"), ("SELECT count(*) FROM vacfull", "100"),
             ("SELECT pg_relation_size('vacfull')", "8192"), ("SELECT all_visible > 0 FROM pg_visibility_map_summary('vac')", "True"),
             ("SELECT count(*) FROM pg_check_visible('vac')", "0"), ("SELECT count(*) FROM pg_check_frozen('vac')", "0")]),
        new(
            "TRUNCATE",
            ["CREATE TABLE trunc (i int)", "INSERT INTO trunc SELECT generate_series(1, 50000)", "TRUNCATE trunc", "INSERT INTO trunc VALUES (42)",
             "CREATE TABLE shrunk AS SELECT i, repeat('s', 500) p FROM generate_series(1, 5000) i", "DELETE FROM shrunk WHERE i > 100", "VACUUM (TRUNCATE) shrunk"],
            [("SELECT string_agg(i::text, ',') FROM trunc", "42"), ("SELECT count(*) FROM shrunk", "100"), ("INSERT INTO shrunk SELECT i, repeat('n', 500) FROM generate_series(101, 3000) i; SELECT count(*) FROM shrunk", "3000")]),
        new(
            "CREATE and DROP DATABASE, both strategies",
            ["CREATE DATABASE by_log STRATEGY wal_log", "CREATE DATABASE by_file STRATEGY file_copy", "CREATE DATABASE gone STRATEGY file_copy", "DROP DATABASE gone", "CREATE DATABASE gone_too", "DROP DATABASE gone_too"],
            [("SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database WHERE datname ~ '^(by|gone)'", "by_file,by_log")],
            async cluster =>
            {
                foreach (string database in new[] { "by_log", "by_file" })
                {
                    await cluster.ExecuteAsync("CREATE TABLE inside AS SELECT generate_series(1, 1234) i", database);
                }
            }),
        new(
            "SET UNLOGGED and LOGGED, unlogged tables are empty after a crash",
            ["CREATE UNLOGGED TABLE unlogged AS SELECT generate_series(1, 1000) i", "CREATE INDEX ON unlogged (i)", "CREATE TABLE to_unlogged AS SELECT generate_series(1, 1000) i", "ALTER TABLE to_unlogged SET UNLOGGED",
             "CREATE UNLOGGED TABLE to_logged AS SELECT generate_series(1, 1000) i", "ALTER TABLE to_logged SET LOGGED", "CREATE UNLOGGED SEQUENCE unlogged_seq"],
            [("SELECT count(*) FROM unlogged", "0"), ("SELECT count(*) FROM to_unlogged", "0"), ("SELECT count(*) FROM to_logged", "1000"), ("INSERT INTO unlogged VALUES (5); SET enable_seqscan = off; SELECT i FROM unlogged WHERE i = 5", "5"),
             ("SELECT nextval('unlogged_seq')", "1")]),
        new(
            "temporary table",
            ["CREATE TABLE beside_temp (i int)"],
            [("SELECT count(*) FROM pg_class WHERE relname = 'temporary' AND pg_table_is_visible(oid)", "0"), ("CREATE TEMP TABLE temporary AS SELECT generate_series(1, 10) i; SELECT count(*) FROM temporary", "10")],
            async cluster =>
            {
                var connection = await cluster.ConnectAsync();
                await new NpgsqlCommand("CREATE TEMP TABLE temporary AS SELECT i, repeat('t', 100) FROM generate_series(1, 50000) i; INSERT INTO beside_temp VALUES (1)", connection).ExecuteNonQueryAsync();
            }),
        new(
            "large objects",
            ["CREATE TABLE lob AS SELECT lo_from_bytea(0, convert_to(repeat('large object ', 20000), 'UTF8')) AS id"],
            [("SELECT length(lo_get(id)) || ' ' || convert_from(lo_get(id, 130000, 12), 'UTF8') FROM lob", "260000 large object")]),
        new(
            "materialised view",
            ["CREATE TABLE base AS SELECT i, i % 10 AS g FROM generate_series(1, 10000) i", "CREATE MATERIALIZED VIEW mv AS SELECT g, count(*) n FROM base GROUP BY g", "CREATE UNIQUE INDEX ON mv (g)",
             "INSERT INTO base VALUES (0, 3)", "REFRESH MATERIALIZED VIEW CONCURRENTLY mv"],
            [("SELECT n FROM mv WHERE g = 3", "1001"), ("REFRESH MATERIALIZED VIEW mv", ""), ("SELECT sum(n) FROM mv", "10001")]),
        new(
            "CLUSTER and REINDEX",
            ["CREATE TABLE clus AS SELECT (i * 7919) % 10007 AS i, repeat('c', 100) p FROM generate_series(1, 10000) i", "CREATE INDEX clus_i ON clus (i)", "CLUSTER clus USING clus_i", "REINDEX TABLE clus", "REINDEX INDEX CONCURRENTLY clus_i"],
            [("SET enable_seqscan = off; SELECT count(*) FROM clus WHERE i BETWEEN 0 AND 20000", "10000"), ("SELECT bt_index_check('clus_i', true)::text", "")]),
        new(
            "COPY",
            ["CREATE TABLE copied (i int, s text)"],
            [("SELECT count(*) || ' ' || sum(i) FROM copied", "100000 5000050000")],
            async cluster =>
            {
                await using var connection = await cluster.ConnectAsync();
                await using var writer = await connection.BeginBinaryImportAsync("COPY copied FROM STDIN (FORMAT binary)");
                for (int i = 1; i <= 100000; i++)
                {
                    await writer.StartRowAsync();
                    await writer.WriteAsync(i);
                    await writer.WriteAsync("row " + i);
                }

                await writer.CompleteAsync();
            }),
        new(
            "in-place tablespace",
            ["CREATE TABLESPACE place LOCATION ''", "CREATE TABLE placed (i int PRIMARY KEY) TABLESPACE place", "INSERT INTO placed SELECT generate_series(1, 5000)", "CREATE TABLE moved AS SELECT generate_series(1, 5000) i", "ALTER TABLE moved SET TABLESPACE place"],
            [("SELECT count(*) FROM placed", "5000"), ("SELECT sum(i) FROM moved", "12502500"), ("ALTER TABLE moved SET TABLESPACE pg_default; SELECT sum(i) FROM moved", "12502500")]),
        new(
            "synchronous_commit off",
            ["CREATE TABLE lazy (i int)", "SET synchronous_commit = off; INSERT INTO lazy SELECT generate_series(1, 100)", "INSERT INTO lazy VALUES (0)"],
            [("SELECT count(*) FROM lazy", "101")]),
        new(
            "DDL beside DML",
            ["CREATE TABLE busy (i int)"],
            [("SELECT count(*) = sum(CASE WHEN extra = 1 THEN 1 ELSE 0 END) FROM busy", "True"), ("SELECT count(*) FROM busy", "800"), ("SELECT count(*) FROM pg_indexes WHERE tablename = 'busy'", "1")],
            async cluster =>
            {
                var writers = Enumerable.Range(0, 4).Select(async w =>
                {
                    await using var connection = await cluster.ConnectAsync();
                    for (int i = 0; i < 200; i++)
                    {
                        await new NpgsqlCommand($"INSERT INTO busy VALUES ({(w * 1000) + i})", connection).ExecuteNonQueryAsync();
                    }
                }).ToList();
                await cluster.ExecuteAsync("ALTER TABLE busy ADD extra int DEFAULT 1");
                await cluster.ExecuteAsync("CREATE INDEX CONCURRENTLY busy_i ON busy (i)");
                await Task.WhenAll(writers);
            }),
        new(
            "other index types",
            [
                "CREATE TABLE kinds AS SELECT i, point(i, i) p, ARRAY[i % 10, i % 7] a, md5(i::text) t FROM generate_series(1, 5000) i",
                "CREATE INDEX kinds_hash ON kinds USING hash (i)", "CREATE INDEX kinds_gin ON kinds USING gin (a)", "CREATE INDEX kinds_gist ON kinds USING gist (p)",
                "CREATE INDEX kinds_spgist ON kinds USING spgist (t)", "CREATE INDEX kinds_brin ON kinds USING brin (i)",
                "INSERT INTO kinds SELECT i, point(i, i), ARRAY[i % 10, i % 7], md5(i::text) FROM generate_series(5001, 8000) i",
            ],
            [
                ("SET enable_seqscan = off; SELECT i FROM kinds WHERE i = 7777", "7777"),
                ("SET enable_seqscan = off; SELECT count(*) FROM kinds WHERE a @> ARRAY[9]", "800"),
                ("SET enable_seqscan = off; SELECT count(*) FROM kinds WHERE p <@ box(point(1, 1), point(100, 100))", "100"),
                ("SET enable_seqscan = off; SELECT i FROM kinds WHERE t = md5('6000')", "6000"),
            ]),
        // These two hold back what VACUUM may remove, so they come last.
        new(
            "prepared transaction",
            ["CREATE TABLE prep (i int PRIMARY KEY)", "BEGIN; INSERT INTO prep SELECT generate_series(1, 500); PREPARE TRANSACTION 'keep'", "BEGIN; INSERT INTO prep VALUES (9999); PREPARE TRANSACTION 'drop'"],
            [("SELECT string_agg(gid, ',' ORDER BY gid) FROM pg_prepared_xacts", "drop,keep"), ("SELECT count(*) FROM prep", "0"), ("COMMIT PREPARED 'keep'", ""), ("ROLLBACK PREPARED 'drop'", ""),
             ("SELECT count(*) FROM prep", "500")]),
        new(
            "transaction in progress at the crash",
            ["CREATE TABLE inflight (i int)", "INSERT INTO inflight VALUES (1)"],
            [("SELECT string_agg(i::text, ',') FROM inflight", "1")],
            async cluster =>
            {
                var connection = await cluster.ConnectAsync();
                await new NpgsqlCommand("BEGIN; INSERT INTO inflight SELECT generate_series(2, 5000)", connection).ExecuteNonQueryAsync();
                // Another commit makes the quorum hold what the open transaction has written so far.
                await cluster.ExecuteAsync("CREATE TABLE after_inflight (i int)");
            }),
    ];

    /// <inheritdoc/>
    public override string ToString() => Name;
}
