using System.CommandLine;
using Redoubt.Cli.Bench;
using Redoubt.Cli.Toolchain;
using Redoubt.Verify;
using Redoubt.Verify.Bench;
using Redoubt.Wal;

namespace Redoubt.Cli.Commands;

/// <summary><c>./redoubt bench redo</c>: redo beside PostgreSQL's own recovery of the same log.</summary>
internal static class BenchRedoCommand
{
    public static Command Create()
    {
        var postgres = new Option<int>("--postgres") { Description = "Major version of both sides.", DefaultValueFactory = _ => 17 };
        var rounds = new Option<int>("--rounds") { Description = "Size of the log: 1,000 transactions of ten changes in five rounds.", DefaultValueFactory = _ => 1000 };
        var output = ClusterOptions.Output();
        var command = new Command("redo", "Decodes and redoes a log, beside PostgreSQL's recovery of it.\n\nExample: ./redoubt bench redo -o json") { postgres, rounds, output };
        command.SetAction(async (parsed, cancellation) =>
        {
            bool json = parsed.GetValue(output) == "json";
            (await RunAsync(parsed.GetValue(postgres), parsed.GetValue(rounds), line => (json ? Console.Error : Console.Out).WriteLine(line), cancellation)).Print(json);
            return 0;
        });
        return command;
    }

    private static async Task<BenchReport> RunAsync(int major, int rounds, Action<string> progress, CancellationToken cancellation)
    {
        string bin = await PostgresBinaries.EnsureAsync(major, progress, cancellation);
        RedoBenchResult result;
        try
        {
            result = await RedoBench.RunAsync((PgVersion)major, bin, rounds, progress, cancellation);
        }
        catch (Exception e) when (e is StockPostgresException or WalFormatException or RedoException)
        {
            throw new CliException(e.Message);
        }

        const double mega = 1e6;
        string peer = $"stock {major}, recovery of the same log";
        double bytes = result.Bytes / mega;
        double changes = result.BlockChanges;
        var report = new BenchReport("redo");
        report.Add("read records, one core", "MB/s", bytes / result.ReadSeconds);
        report.Add("decode into block changes, one core", "MB/s", bytes / result.SplitSeconds, bytes / result.PostgresSeconds, peer);
        report.Add("decode into block changes, one core", "changes/s", changes / result.SplitSeconds, changes / result.PostgresSeconds, peer);
        report.Add("allocated on the decode path", "bytes/record", Math.Round(result.AllocatedPerRecord, 1));
        report.Add("decode and apply, all cores", "MB/s", bytes / result.ApplySeconds, bytes / result.PostgresSeconds, peer);
        report.Add("decode and apply, all cores", "changes/s", changes / result.ApplySeconds, changes / result.PostgresSeconds, peer);
        report.Add("decode and apply, per core", "changes/s", changes / result.ApplySeconds / Environment.ProcessorCount);
        report.Add("the whole log", "s", result.ApplySeconds, result.PostgresSeconds, peer);
        report.Add("the whole log, processor time of all threads", "s", result.ApplyCpuSeconds, result.PostgresCpuSeconds, peer);
        report.Notes.Add($"{bytes:N0} MB of log, {result.Records:N0} records, {changes:N0} block changes; full_page_writes off, as Redoubt's computes run.");
        return report;
    }
}
