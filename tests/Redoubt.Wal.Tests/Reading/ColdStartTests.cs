using System.Globalization;
using Npgsql;
using Redoubt.Verify;

namespace Redoubt.Wal.Tests.Reading;

/// <summary>What ControlState says about a crashed log is enough for a stock PostgreSQL to start from it, without recovery.</summary>
public sealed class ColdStartTests
{
    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task Postgres_starts_without_recovery_from_a_synthesised_checkpoint(PgVersion version)
    {
        RealLog log = await RealLog.GetAsync(version);
        await StartsFromAsync(log);
    }

    [Theory]
    [InlineData(PgVersion.Pg17, false)]
    [InlineData(PgVersion.Pg18, false)]
    [InlineData(PgVersion.Pg17, true)]
    [InlineData(PgVersion.Pg18, true)]
    public async Task The_checkpoint_may_cross_the_end_of_a_page_or_of_a_log_file(PgVersion version, bool file)
    {
        using RealLog log = await RealLog.MakeAsync(version, [FillUp(file)]);
        ControlState control = Follow(log);
        ShutdownCheckpoint checkpoint = control.MakeShutdownCheckpoint(version, DateTimeOffset.UtcNow);
        int unit = file ? WalAddress.SegmentSize : WalAddress.PageSize;
        Assert.NotEqual(checkpoint.Start.Value / (ulong)unit, (checkpoint.End.Value - 1) / (ulong)unit);
        await StartsFromAsync(log);
    }

    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task A_standby_starts_from_the_last_online_checkpoint_and_is_consistent_where_told(PgVersion version)
    {
        RealLog log = await RealLog.GetAsync(version);
        ControlState control = Follow(log);
        string[] folders = [Directory.CreateTempSubdirectory("redoubt-cold-").FullName, Directory.CreateTempSubdirectory("redoubt-cold-").FullName];
        string expected;
        var recovered = new StockPostgres(version, log.BinFolder, folders[0]);
        await using (recovered)
        {
            recovered.CopyDataFrom(log.DataFolder);
            await recovered.StartAsync(RealLog.Settings, CancellationToken.None);
            expected = await SummaryAsync(recovered);
            await recovered.StopAsync(fast: true, CancellationToken.None);
        }

        var standby = new StockPostgres(version, log.BinFolder, folders[1]);
        await using (standby)
        {
            standby.CopyDataFrom(recovered.DataFolder);
            Directory.Delete(Path.Combine(standby.DataFolder, "pg_wal"), recursive: true);
            DataFolders.Copy(Path.Combine(log.DataFolder, "pg_wal"), Path.Combine(standby.DataFolder, "pg_wal"));
            await File.WriteAllBytesAsync(Path.Combine(standby.DataFolder, "global", "pg_control"), control.MakeStandbyControlFile(version, log.End));
            await File.WriteAllTextAsync(Path.Combine(standby.DataFolder, "standby.signal"), "");
            standby.OwnData();
            await standby.StartAsync(RealLog.Settings, CancellationToken.None);
            string serverLog = await File.ReadAllTextAsync(standby.LogFile);
            Assert.Contains("entering standby mode", serverLog);
            Assert.Contains($"redo starts at {control.LastOnlineCheckpointRedo}", serverLog);
            Assert.Contains("consistent recovery state reached", serverLog);

            // A standby does not list prepared transactions before it is promoted.
            Assert.Equal(expected.Replace("|kept|", "|"), await SummaryAsync(standby));
        }

        Array.ForEach(folders, folder => Directory.Delete(folder, recursive: true));
    }

    private static ControlState Follow(RealLog log)
    {
        ControlState control = log.NewControl();
        log.ForEach(control, (in WalRecord record) =>
        {
            // As a segment would keep it: encoded between records now and then.
            if (record.Start.Value % 64 == 0)
            {
                control = ControlState.Decode(control.Encode());
            }

            control.Apply(log.Version, record);
        });
        return control;
    }

    private static async Task StartsFromAsync(RealLog log)
    {
        ControlState control = Follow(log);
        Assert.Equal(log.End, control.Lsn);
        string[] folders = [Directory.CreateTempSubdirectory("redoubt-cold-").FullName, Directory.CreateTempSubdirectory("redoubt-cold-").FullName];

        // PostgreSQL's own recovery makes the files that storage would hold.
        var recovered = new StockPostgres(log.Version, log.BinFolder, folders[0]);
        string expected;
        await using (recovered)
        {
            recovered.CopyDataFrom(log.DataFolder);
            await recovered.StartAsync(RealLog.Settings, CancellationToken.None);
            expected = await SummaryAsync(recovered);
            await recovered.StopAsync(fast: true, CancellationToken.None);
        }

        var cold = new StockPostgres(log.Version, log.BinFolder, folders[1]);
        await using (cold)
        {
            cold.CopyDataFrom(recovered.DataFolder);
            Compose(log, control, cold.DataFolder);
            cold.OwnData();
            await cold.StartAsync(RealLog.Settings, CancellationToken.None);
            string serverLog = await File.ReadAllTextAsync(cold.LogFile);
            Assert.Contains("database system was shut down at", serverLog);
            Assert.DoesNotContain("recovery", serverLog.Replace("recovery of prepared", "").Replace("recovering prepared transaction", ""));
            Assert.Equal(expected, await SummaryAsync(cold));
            await cold.ExecuteAsync("COMMIT PREPARED 'kept'", CancellationToken.None);
            await cold.ExecuteAsync("INSERT INTO t VALUES (500001); CREATE TABLE after AS SELECT * FROM t; CHECKPOINT", CancellationToken.None);

            // The log goes on where the synthesised record ends, and our reader follows it there.
            Lsn end = await RealLog.InsertPositionAsync(cold);
            ShutdownCheckpoint checkpoint = control.MakeShutdownCheckpoint(log.Version, DateTimeOffset.UnixEpoch);
            Assert.True(end > checkpoint.End);
            await cold.StopAsync(fast: true, CancellationToken.None);
            FollowsOn(log, cold.DataFolder, checkpoint, end);
        }

        Array.ForEach(folders, folder => Directory.Delete(folder, recursive: true));
    }

    private static void Compose(RealLog log, ControlState control, string data)
    {
        string wal = Path.Combine(data, "pg_wal");
        foreach (string file in Directory.GetFiles(wal))
        {
            File.Delete(file);
        }

        ShutdownCheckpoint checkpoint = control.MakeShutdownCheckpoint(log.Version, DateTimeOffset.UtcNow);
        foreach (WalSegmentFile segment in control.MakeWalSegments(log.Version, checkpoint))
        {
            using var file = File.Create(Path.Combine(wal, segment.Name));
            file.SetLength(WalAddress.SegmentSize);
            foreach ((int offset, byte[] bytes) in segment.Pieces)
            {
                file.Position = offset;
                file.Write(bytes);
            }
        }

        File.WriteAllBytes(Path.Combine(data, "global", "pg_control"), control.MakeControlFile(log.Version, checkpoint));
    }

    private static void FollowsOn(RealLog log, string data, ShutdownCheckpoint checkpoint, Lsn end)
    {
        using var reader = new WalStreamReader(log.Version, checkpoint.Start);
        Lsn at = WalAddress.SegmentStart(checkpoint.Start);
        bool first = true;
        while (reader.Position < end)
        {
            byte[] bytes = File.ReadAllBytes(Path.Combine(data, "pg_wal", WalAddress.SegmentFileName(1, at)));
            int skip = first ? WalAddress.SegmentOffset(WalAddress.PageStart(checkpoint.Start)) : 0;
            reader.Append(at + (ulong)skip, bytes.AsSpan(skip));
            first = false;
            at += WalAddress.SegmentSize;
            while (reader.Position < end && reader.TryRead(out _))
            {
            }
        }

        Assert.Equal(end, reader.Position);
    }

    private static async Task<string> SummaryAsync(StockPostgres server)
    {
        await using var connection = new NpgsqlConnection(server.ConnectionString());
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(
            """
            SELECT concat_ws('|',
              (SELECT count(*) || ',' || sum(hashtext(t::text)::bigint) FROM t),
              (SELECT count(*) FROM big), (SELECT count(*) FROM trunc), (SELECT last_value FROM s),
              (SELECT string_agg(gid, ',') FROM pg_prepared_xacts), (SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database),
              (SELECT count(pg_xact_commit_timestamp(xmin)) FROM t WHERE id > 100000))
            """,
            connection);
        return Convert.ToString(await command.ExecuteScalarAsync(), CultureInfo.InvariantCulture)!;
    }

    /// <summary>Writes log until a checkpoint record would cross the end of the page, or of the file.</summary>
    private static string FillUp(bool file) => string.Create(CultureInfo.InvariantCulture, $$"""
        DO $$
        DECLARE room bigint; unit bigint := {{(file ? WalAddress.SegmentSize : WalAddress.PageSize)}};
        BEGIN
          LOOP
            room := unit - (pg_current_wal_insert_lsn() - '0/0'::pg_lsn) % unit;

            -- The message that names the end (RealLog.InsertPositionAsync) takes up some 100 bytes more, its commit 40.
            EXIT WHEN room BETWEEN 170 AND 230;
            IF room > 20000 THEN
              PERFORM pg_logical_emit_message(false, 'f', repeat('f', (least(room, 1000000) - 10000)::int));
            ELSIF room > 400 THEN
              PERFORM pg_logical_emit_message(false, 'f', repeat('f', (room - 300)::int));
            ELSE
              PERFORM pg_logical_emit_message(false, 'f', 'f');
            END IF;
          END LOOP;
        END $$
        """);
}
