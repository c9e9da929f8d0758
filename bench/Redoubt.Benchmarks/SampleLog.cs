using Redoubt.Cli.Toolchain;
using Redoubt.Verify;
using Redoubt.Verify.Workloads;
using Redoubt.Wal;

namespace Redoubt.Benchmarks;

/// <summary>The first 8 MiB of a log that a stock server wrote.</summary>
internal sealed class SampleLog(PgVersion version, Lsn start, byte[] bytes, ControlState control)
{
    private const int Length = 8 * 1024 * 1024;

    public PgVersion Version { get; } = version;

    public byte[] Bytes { get; } = bytes;

    public ControlState Control { get; } = control;

    public static async Task<SampleLog> MakeAsync(PgVersion version)
    {
        string bin = await PostgresBinaries.EnsureAsync((int)version);
        string folder = ScratchFolder.Create("redoubt-sample-");
        try
        {
            await using var server = new StockPostgres(version, bin, Path.Combine(folder, "f"));
            await server.InitDbAsync(checksums: false, CancellationToken.None);
            var control = ControlState.FromControlFile(version, await File.ReadAllBytesAsync(Path.Combine(server.DataFolder, "global", "pg_control")));
            var settings = new Dictionary<string, string>
            {
                ["fsync"] = "off", ["full_page_writes"] = "off", ["wal_level"] = "logical", ["max_prepared_transactions"] = "50", ["wal_keep_size"] = "4GB",
            };
            await server.StartAsync(settings, CancellationToken.None);
            await BuiltInWorkload.RunAsync(server, settings, new WorkloadScale(3000, 2000, 100, 2, 40), null, CancellationToken.None);
            await server.StopAsync(fast: true, CancellationToken.None);
            var page = new Lsn(control.Lsn.Value & ~8191ul);
            byte[] bytes = new byte[Length];
            using var files = new WalFiles(Path.Combine(server.DataFolder, "pg_wal"));
            for (int at = 0; at < Length;)
            {
                at += files.Read(page + (ulong)at, page + Length, bytes.AsSpan(at));
            }

            return new SampleLog(version, control.Lsn, bytes, control);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    public void Read(RecordHandler handler)
    {
        using var reader = new WalStreamReader(Version, start);
        reader.Append(new Lsn(start.Value & ~8191ul), Bytes);
        while (reader.TryRead(out var record))
        {
            handler(record);
        }
    }
}
