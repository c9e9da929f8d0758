using System.Collections.Concurrent;
using Npgsql;
using Redoubt.Cli.Toolchain;
using Redoubt.Verify;

namespace Redoubt.Wal.Tests.IndexAccess;

/// <summary>
/// The log that a stock server writes for index-access.sql, with PostgreSQL's after-image of every page in every record, followed once per
/// version by <see cref="IndexFollower"/>. The tests of this folder ask what it found.
/// </summary>
internal static class IndexLog
{
    private static readonly ConcurrentDictionary<PgVersion, Lazy<Task<IndexFollower>>> Logs = new();

    private static readonly Dictionary<string, string> Settings = new()
    {
        ["fsync"] = "off",
        ["full_page_writes"] = "off",
        ["autovacuum"] = "off",
        ["max_wal_size"] = "16GB",
        ["wal_keep_size"] = "16GB",
        ["checkpoint_timeout"] = "1h",
        ["wal_consistency_checking"] = "btree,hash,gin,gist,spgist,brin,generic",
    };

    /// <summary>What was found in the log of a version; the server runs at the first call.</summary>
    public static Task<IndexFollower> FollowedAsync(PgVersion version) =>
        Logs.GetOrAdd(version, v => new Lazy<Task<IndexFollower>>(() => FollowAsync(v))).Value;

    private static async Task<IndexFollower> FollowAsync(PgVersion version)
    {
        string bin = await PostgresBinaries.EnsureAsync((int)version);
        string folder = Directory.CreateTempSubdirectory("redoubt-index-").FullName;
        try
        {
            await using var server = new StockPostgres(version, bin, folder);
            await server.InitDbAsync(checksums: false, CancellationToken.None);
            ControlState start = ReadControl(server);
            await server.StartAsync(Settings, CancellationToken.None);
            await RunScriptAsync(server);
            await server.StopAsync(fast: true, CancellationToken.None);
            var follower = new IndexFollower(version);
            Follow(server, start, ReadControl(server).Lsn, follower);
            return follower;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static ControlState ReadControl(StockPostgres server) =>
        ControlState.FromControlFile(server.Version, File.ReadAllBytes(Path.Combine(server.DataFolder, "global", "pg_control")));

    /// <summary>Runs the script statement by statement (one or more whole lines each) in one session.</summary>
    private static async Task RunScriptAsync(StockPostgres server)
    {
        await using var connection = new NpgsqlConnection(server.ConnectionString());
        await connection.OpenAsync();
        using var script = new StreamReader(typeof(IndexLog).Assembly.GetManifestResourceStream("index-access.sql")!);
        while (await script.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("--", StringComparison.Ordinal))
            {
                continue;
            }

            await using var command = new NpgsqlCommand(line, connection);
            try
            {
                await command.ExecuteNonQueryAsync();
            }
            catch (PostgresException e)
            {
                throw new InvalidOperationException($"{e.MessageText} in: {line}", e);
            }
        }
    }

    private static void Follow(StockPostgres server, ControlState control, Lsn end, IndexFollower follower)
    {
        using var reader = new WalStreamReader(server.Version, control.Lsn);
        byte[] buffer = new byte[1 << 20];
        const ulong fileSize = 16 << 20;
        var at = new Lsn(control.Lsn.Value & ~8191UL);
        while (at < end)
        {
            using var file = File.OpenHandle(Path.Combine(server.DataFolder, "pg_wal", $"{1:X8}{at.Value >> 32:X8}{(at.Value & 0xFFFFFFFF) / fileSize:X8}"));
            for (ulong offset = at.Value % fileSize; offset < fileSize && at < end;)
            {
                int read = RandomAccess.Read(file, buffer, (long)offset);
                reader.Append(at, buffer.AsSpan(0, read));
                at += (ulong)read;
                offset += (ulong)read;
                while (reader.TryRead(out WalRecord record))
                {
                    var sink = new IndexSink(follower);
                    RecordSplitter.Split(server.Version, record, control, ref sink);
                    control.Apply(server.Version, record);
                }
            }
        }

        Assert.True(reader.Position >= end, $"the log ends at {reader.Position}, not at {end}");
    }
}
