using Redoubt.Cli.Toolchain;
using Redoubt.Verify.Workloads;
using Redoubt.Wal;

namespace Redoubt.Verify.Tests;

/// <summary>A log that a stock server wrote under a small built-in workload, and the data directory it starts from.</summary>
public sealed class StockLog : IDisposable
{
    private readonly string _folder;
    private readonly byte[] _control;

    private StockLog(PgVersion version, string folder, string startFolder, string walFolder, byte[] control, Lsn end)
    {
        Version = version;
        _folder = folder;
        StartFolder = startFolder;
        WalFolder = walFolder;
        _control = control;
        End = end;
    }

    public PgVersion Version { get; }

    /// <summary>The data directory before the log's first record.</summary>
    public string StartFolder { get; }

    public string WalFolder { get; }

    /// <summary>End of the last record.</summary>
    public Lsn End { get; }

    /// <summary>A folder for pages.</summary>
    public string ScratchFolder => _folder;

    /// <summary>Runs a server.</summary>
    public static async Task<StockLog> MakeAsync(PgVersion version, CancellationToken cancel)
    {
        string bin = await PostgresBinaries.EnsureAsync((int)version, cancellation: cancel);
        string folder = Redoubt.Verify.ScratchFolder.Create("redoubt-log-");
        await using var server = new StockPostgres(version, bin, Path.Combine(folder, "f"));
        await server.InitDbAsync(checksums: false, cancel);
        string start = Path.Combine(folder, "start");
        DataFolders.Copy(server.DataFolder, start);
        byte[] control = await File.ReadAllBytesAsync(ControlFile(start), cancel);
        var settings = new Dictionary<string, string>
        {
            ["fsync"] = "off",
            ["full_page_writes"] = "off",
            ["wal_level"] = "logical",
            ["track_commit_timestamp"] = "on",
            ["max_prepared_transactions"] = "50",
            ["log_min_messages"] = "fatal",
            ["wal_keep_size"] = "4GB",
        };
        await server.StartAsync(settings, cancel);
        await BuiltInWorkload.RunAsync(server, settings, new WorkloadScale(1000, 2000, 100, 2, 40), null, cancel);
        await server.StopAsync(fast: true, cancel);
        var end = ControlState.FromControlFile(version, await File.ReadAllBytesAsync(ControlFile(server.DataFolder), cancel)).Lsn;
        return new StockLog(version, folder, start, Path.Combine(server.DataFolder, "pg_wal"), control, end);
    }

    /// <summary>Counters before the log's first record.</summary>
    public ControlState Control() => ControlState.FromControlFile(Version, _control);

    /// <summary>Reads the whole log.</summary>
    public void Read(RecordHandler handler)
    {
        var start = Control().Lsn;
        using var files = new WalFiles(WalFolder);
        using var reader = new WalStreamReader(Version, start);
        byte[] buffer = new byte[1024 * 1024];
        var at = new Lsn(start.Value & ~8191ul);
        for (var limit = new Lsn((End.Value + 8191) & ~8191ul); at < limit;)
        {
            int length = files.Read(at, limit, buffer);
            reader.Append(at, buffer.AsSpan(0, length));
            at += (ulong)length;
            while (reader.TryRead(out var record))
            {
                handler(record);
            }
        }

        Assert.Equal(End, reader.Position);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string ControlFile(string dataFolder) => Path.Combine(dataFolder, "global", "pg_control");
}
