using Npgsql;
using Redoubt.Cli.Toolchain;
using Redoubt.Verify;

namespace Redoubt.Wal.Benchmarks;

/// <summary>
/// A log as an application makes it (inserts, updates, vacuum on tables with several kinds of indexes), in memory, with one change per kind
/// and the page it came to. Recorded once; benchmarks run in this process.
/// </summary>
public static class SampleLog
{
    private const ulong FileSize = 16 << 20;

    private static readonly string[] Script =
    [
        "CREATE TABLE t (id int PRIMARY KEY, k int, pad text, a int[], p point) WITH (autovacuum_enabled = off)",
        "CREATE INDEX t_k ON t (k)",
        "CREATE INDEX t_hash ON t USING hash (k)",
        "CREATE INDEX t_gin ON t USING gin (a) WITH (fastupdate = off)",
        "CREATE INDEX t_gist ON t USING gist (p)",
        "CREATE INDEX t_spgist ON t USING spgist (p)",
        "CREATE INDEX t_brin ON t USING brin (id) WITH (pages_per_range = 4)",
        "INSERT INTO t SELECT i, i % 500, md5(i::text), ARRAY[i % 7, i % 300], point(i % 211, i % 499) FROM generate_series(1, 20000) i",
        "UPDATE t SET k = k + 1 WHERE id % 4 = 0",
        "UPDATE t SET pad = 'short' WHERE id % 5 = 0",
        "DELETE FROM t WHERE id % 6 = 0",
        "VACUUM t",
        "INSERT INTO t SELECT i, i % 500, md5(i::text), ARRAY[i % 7], point(i % 97, i % 89) FROM generate_series(30000, 40000) i",
    ];

    public static PgVersion Version { get; private set; }

    /// <summary>Where the log begins: the state after initdb.</summary>
    public static ControlState Start { get; private set; } = null!;

    /// <summary>The log from the page of <see cref="Start"/> to its end.</summary>
    public static byte[] Bytes { get; private set; } = [];

    /// <summary>Position of the first byte of <see cref="Bytes"/>.</summary>
    public static Lsn First => new(Start.Lsn.Value & ~8191UL);

    /// <summary>A change of each kind, by name, in the middle of the log.</summary>
    public static IReadOnlyDictionary<string, SampleChange> Changes { get; private set; } = new Dictionary<string, SampleChange>();

    /// <summary>A fresh copy of <see cref="Start"/> to follow the log with.</summary>
    public static ControlState NewControl() => ControlState.Decode(Start.Encode());

    /// <summary>Runs a server in a folder of its own and keeps what it wrote.</summary>
    public static async Task RecordAsync(PgVersion version, CancellationToken cancel)
    {
        string bin = await PostgresBinaries.EnsureAsync((int)version, cancellation: cancel);
        string folder = Directory.CreateTempSubdirectory("redoubt-bench-").FullName;
        try
        {
            await using var server = new StockPostgres(version, bin, folder);
            await server.InitDbAsync(checksums: false, cancel);
            Version = version;
            Start = ReadControl(server);
            var settings = new Dictionary<string, string> { ["fsync"] = "off", ["full_page_writes"] = "off", ["wal_keep_size"] = "1GB" };
            await server.StartAsync(settings, cancel);
            await using (var connection = new NpgsqlConnection(server.ConnectionString()))
            {
                await connection.OpenAsync(cancel);
                foreach (string statement in Script)
                {
                    await using var command = new NpgsqlCommand(statement, connection);
                    await command.ExecuteNonQueryAsync(cancel);
                }
            }

            await server.StopAsync(fast: true, cancel);
            Bytes = ReadLog(Path.Combine(server.DataFolder, "pg_wal"), First, ReadControl(server).Lsn);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        Changes = SampleSink.Collect();
    }

    private static ControlState ReadControl(StockPostgres server) =>
        ControlState.FromControlFile(server.Version, File.ReadAllBytes(Path.Combine(server.DataFolder, "global", "pg_control")));

    private static byte[] ReadLog(string folder, Lsn from, Lsn to)
    {
        byte[] log = new byte[to - from];
        for (ulong at = from.Value; at < to.Value;)
        {
            string name = $"{1:X8}{at >> 32:X8}{(at & 0xFFFFFFFF) / FileSize:X8}";
            using var file = File.OpenHandle(Path.Combine(folder, name));
            int wanted = (int)Math.Min(FileSize - (at % FileSize), to.Value - at);
            int read = RandomAccess.Read(file, log.AsSpan((int)(at - from.Value), wanted), (long)(at % FileSize));
            if (read == 0)
            {
                throw new EndOfStreamException($"{name} ends early.");
            }

            at += (ulong)read;
        }

        return log;
    }
}
