using System.Collections.Concurrent;
using Redoubt.Cli.Toolchain;
using Redoubt.Verify;

namespace Redoubt.Wal.Tests.Reading;

/// <summary>
/// The log of a stock PostgreSQL that ran a small workload of many record kinds and then crashed: made once a version and test run.
/// </summary>
internal sealed class RealLog : IDisposable
{
    private static readonly ConcurrentDictionary<PgVersion, Lazy<Task<RealLog>>> Made = new();

    private RealLog(PgVersion version, string binFolder, string dataFolder, byte[] initialControl, Lsn end)
    {
        Version = version;
        BinFolder = binFolder;
        DataFolder = dataFolder;
        InitialControl = initialControl;
        End = end;
    }

    public PgVersion Version { get; }

    public string BinFolder { get; }

    /// <summary>The data directory as the crash left it.</summary>
    public string DataFolder { get; }

    /// <summary>pg_control as initdb left it.</summary>
    public byte[] InitialControl { get; }

    /// <summary>Where PostgreSQL would have inserted next, just before the crash.</summary>
    public Lsn End { get; }

    /// <summary>Counters at the start of the log.</summary>
    public ControlState NewControl() => ControlState.FromControlFile(Version, InitialControl);

    private static readonly ConcurrentDictionary<PgVersion, Lazy<Task<string>>> Bins = new();

    public static Task<RealLog> GetAsync(PgVersion version) =>
        Made.GetOrAdd(version, v => new Lazy<Task<RealLog>>(() => MakeSharedAsync(v))).Value;

    /// <summary>Removes the data directory.</summary>
    public void Dispose() => Directory.Delete(Path.GetDirectoryName(DataFolder)!, recursive: true);

    /// <summary>The log's bytes from a position's page to the end of its last file.</summary>
    public byte[] ReadFrom(Lsn start)
    {
        using var bytes = new MemoryStream();
        foreach (string file in Directory.GetFiles(Path.Combine(DataFolder, "pg_wal")).Order(StringComparer.Ordinal))
        {
            if (WalAddress.TryParseSegmentFileName(Path.GetFileName(file), out _, out Lsn at) && at >= WalAddress.SegmentStart(start) && at <= End)
            {
                bytes.Write(File.ReadAllBytes(file));
            }
        }

        return bytes.ToArray()[(int)(WalAddress.PageStart(start) - WalAddress.SegmentStart(start))..];
    }

    /// <summary>Calls <paramref name="each"/> for every record up to <see cref="End"/>.</summary>
    public void ForEach(ControlState control, RecordAction each)
    {
        using var reader = new WalStreamReader(Version, control.Lsn, control.LastRecordStart);
        reader.Append(WalAddress.PageStart(control.Lsn), ReadFrom(control.Lsn));
        while (reader.Position < End && reader.TryRead(out WalRecord record))
        {
            each(record);
        }

        Assert.True(reader.Position >= End, $"The log ended at {reader.Position}, before {End}.");
    }

    public delegate void RecordAction(in WalRecord record);

    /// <summary>Runs statements after the workload, then crashes.</summary>
    public static async Task<RealLog> MakeAsync(PgVersion version, IReadOnlyList<string> more)
    {
        string bin = await Bins.GetOrAdd(version, v => new Lazy<Task<string>>(() => PostgresBinaries.EnsureAsync((int)v))).Value;
        string folder = Directory.CreateTempSubdirectory("redoubt-wal-").FullName;
        var server = new StockPostgres(version, bin, folder);
        await using (server)
        {
            await server.InitDbAsync(checksums: false, CancellationToken.None);
            byte[] control = await File.ReadAllBytesAsync(Path.Combine(server.DataFolder, "global", "pg_control"));
            await server.StartAsync(Settings, CancellationToken.None);
            foreach (string statement in Workload.Concat(more))
            {
                await server.ExecuteAsync(statement, CancellationToken.None);
            }

            Lsn end = await InsertPositionAsync(server);
            await server.StopAsync(fast: false, CancellationToken.None);
            return new RealLog(version, bin, server.DataFolder, control, end);
        }
    }

    private static async Task<RealLog> MakeSharedAsync(PgVersion version)
    {
        RealLog log = await MakeAsync(version, []);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => log.Dispose();
        return log;
    }

    public static async Task<Lsn> InsertPositionAsync(StockPostgres server)
    {
        // A commit flushes: all of the log up to here is in the files when the server is gone.
        await server.ExecuteAsync("SELECT pg_logical_emit_message(true, 'end', '')", CancellationToken.None);
        await using var connection = new Npgsql.NpgsqlConnection(server.ConnectionString());
        await connection.OpenAsync();
        await using var command = new Npgsql.NpgsqlCommand("SELECT pg_current_wal_flush_lsn()::text", connection);
        return Lsn.Parse((string)(await command.ExecuteScalarAsync())!);
    }

    public static readonly IReadOnlyDictionary<string, string> Settings = new Dictionary<string, string>
    {
        ["fsync"] = "off",
        ["full_page_writes"] = "off",
        ["wal_level"] = "logical",
        ["autovacuum"] = "off",
        ["max_prepared_transactions"] = "10",
        ["track_commit_timestamp"] = "on",
        ["shared_buffers"] = "16MB",
        ["bgwriter_lru_maxpages"] = "0",
        ["wal_keep_size"] = "1GB",
    };

    private static readonly string[] Workload =
    [
        "CREATE TABLE t (id int PRIMARY KEY, v text, n int)",
        "INSERT INTO t SELECT i, repeat('x', i % 90), i FROM generate_series(1, 20000) i",
        "UPDATE t SET n = n + 1 WHERE id % 3 = 0",
        "UPDATE t SET v = v || 'y' WHERE id % 5 = 0",
        "DELETE FROM t WHERE id % 7 = 0",
        "VACUUM (FREEZE) t",
        "UPDATE t SET n = n + 1 WHERE id % 100 = 0",
        "CREATE TABLE big (b text); ALTER TABLE big ALTER b SET STORAGE EXTERNAL; INSERT INTO big SELECT repeat('0123456789', 5000) FROM generate_series(1, 30)",
        "SELECT pg_logical_emit_message(false, 'large', repeat('m', 200000))",
        "SELECT pg_switch_wal()",
        "CREATE SEQUENCE s; SELECT nextval('s') FROM generate_series(1, 100)",
        "BEGIN; INSERT INTO t VALUES (100001); SAVEPOINT a; INSERT INTO t VALUES (100002); ROLLBACK TO a; INSERT INTO t VALUES (100003); COMMIT",
        "DO $$ BEGIN FOR i IN 1..200 LOOP BEGIN INSERT INTO t VALUES (200000 + i); EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$",
        "BEGIN; INSERT INTO t VALUES (300001); PREPARE TRANSACTION 'kept'",
        "BEGIN; INSERT INTO t VALUES (300002); PREPARE TRANSACTION 'done'",
        "COMMIT PREPARED 'done'",
        "BEGIN; INSERT INTO t VALUES (300003); PREPARE TRANSACTION 'undone'",
        "ROLLBACK PREPARED 'undone'",
        "CHECKPOINT",
        "BEGIN; CREATE TABLE gone (i int); INSERT INTO gone SELECT generate_series(1, 1000); ROLLBACK",
        "CREATE DATABASE copied STRATEGY FILE_COPY",
        "CREATE DATABASE logged STRATEGY WAL_LOG",
        "DROP DATABASE copied",
        "CREATE TABLE trunc AS SELECT generate_series(1, 5000) i",
        "VACUUM trunc",
        "DELETE FROM trunc WHERE i > 100",
        "VACUUM trunc",
        "BEGIN; SELECT * FROM t WHERE id = 1 FOR SHARE; SAVEPOINT b; UPDATE t SET n = 0 WHERE id = 1; COMMIT",
        "INSERT INTO t VALUES (1, '', 0) ON CONFLICT (id) DO UPDATE SET n = 7",
        "VACUUM (FREEZE) pg_class",
        "SELECT pg_replication_origin_create('o'); SELECT pg_replication_origin_session_setup('o'); BEGIN; SELECT pg_replication_origin_xact_setup('0/ABC', now()); INSERT INTO t VALUES (400001); COMMIT",
    ];
}
