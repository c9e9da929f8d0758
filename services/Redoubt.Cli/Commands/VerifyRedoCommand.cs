using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Redoubt.Cli.Local;
using Redoubt.Cli.Toolchain;
using Redoubt.Verify;
using Redoubt.Verify.Masks;
using Redoubt.Wal;
using Spectre.Console;

namespace Redoubt.Cli.Commands;

/// <summary><c>./redoubt verify redo</c>: redo against PostgreSQL's own images of every page.</summary>
internal static class VerifyRedoCommand
{
    public static Command Create()
    {
        var postgres = new Option<int>("--postgres") { Description = "Major version: 17 or 18.", DefaultValueFactory = _ => 17 };
        var workload = new Option<FileInfo[]>("--workload")
        {
            Description = "SQL file for psql, run in the database verify; may be given again: the files run in order. Without it: the built-in workloads.",
        };
        var dump = new Option<DirectoryInfo?>("--dump") { Description = "Folder that gets the pages of mismatches: before, as redone, as PostgreSQL has them." };
        var output = ClusterOptions.Output();
        var command = new Command(
            "redo", "Redoes a stock PostgreSQL's log and compares every page with PostgreSQL's own.\n\nExample: ./redoubt verify redo --postgres 18 --workload my.sql")
        {
            postgres, workload, dump, output,
        };
        postgres.Validators.Add(result =>
        {
            if (!PostgresBinaries.SupportedMajors.Contains(result.GetValueOrDefault<int>()))
            {
                result.AddError("--postgres takes 17 or 18.");
            }
        });
        command.SetAction((parsed, cancellation) => RunAsync(
            parsed.GetValue(postgres), parsed.GetValue(workload) ?? [], parsed.GetValue(dump), parsed.GetValue(output) == "json", cancellation));
        return command;
    }

    private static async Task<int> RunAsync(int major, FileInfo[] workloads, DirectoryInfo? dump, bool json, CancellationToken cancellation)
    {
        if (Array.Find(workloads, file => !file.Exists) is { } missing)
        {
            throw new CliException($"{missing.FullName} does not exist; name an SQL file for psql.", CliException.WrongUsage);
        }

        void Progress(string line)
        {
            if (!json)
            {
                Console.WriteLine(line);
            }
        }

        var options = new VerifyRedoOptions
        {
            Version = (PgVersion)major,
            BinFolder = await PostgresBinaries.EnsureAsync(major, Progress, cancellation),
            Workloads = [.. workloads.Select(file => file.FullName)],
            DumpFolder = dump?.FullName,
            Progress = Progress,
        };
        VerifyRedoResult result;
        try
        {
            result = await VerifyRedo.RunAsync(options, cancellation);
        }
        catch (Exception e) when (e is StockPostgresException or WalFormatException or IOException)
        {
            throw new CliException(e.Message);
        }

        foreach (string message in result.Messages)
        {
            await Console.Error.WriteLineAsync(message);
        }

        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(Document(result), ClusterSpec.Json));
        }
        else
        {
            Print(result);
        }

        return result.Passed ? 0 : CliException.Failed;
    }

    private static object Document(VerifyRedoResult result) => new
    {
        Postgres = ((int)result.Version).ToString(CultureInfo.InvariantCulture),
        result.Counts.Records,
        result.Counts.BlockChanges,
        result.Counts.PagesCompared,
        Mismatches = result.Counts.Mismatches + result.Counts.Refused,
        result.Counts.Unknown,
        result.FinalPages,
        result.FilesCompared,
        result.WalBytes,
        Kinds = result.Counts.Kinds().Select(kind => new
        {
            Rmgr = RmgrNames.Rmgr(kind.Rmgr), Kind = kind.Name, kind.Seen, kind.Compared, kind.Mismatched,
        }),
        Unseen = result.Unseen(),
        result.Messages,
    };

    private static void Print(VerifyRedoResult result)
    {
        var table = new Table().RoundedBorder().Title($"PostgreSQL {(int)result.Version}: records by kind");
        table.AddColumns("rmgr", "kind");
        table.AddColumns(new TableColumn("seen").RightAligned(), new TableColumn("pages compared").RightAligned(), new TableColumn("mismatches").RightAligned());
        foreach (var kind in result.Counts.Kinds().Where(kind => kind.Seen > 0))
        {
            table.AddRow(
                RmgrNames.Rmgr(kind.Rmgr), kind.Name, $"{kind.Seen:N0}", PageMask.Exists(kind.Rmgr) ? $"{kind.Compared:N0}" : "", kind.Mismatched > 0 ? $"{kind.Mismatched:N0}" : "");
        }

        AnsiConsole.Write(table);
        Console.WriteLine("Kinds never seen:");
        foreach (string unseen in result.Unseen())
        {
            Console.WriteLine($"  {unseen}");
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{result.Counts.Records:N0} records, {result.Counts.BlockChanges:N0} block changes, {result.Counts.PagesCompared:N0} pages compared with images, {result.FinalPages:N0} with files, {result.FilesCompared:N0} other files; {result.Counts.Mismatches + result.Counts.Refused:N0} mismatches, {result.Counts.Unknown:N0} unknown"));
    }
}
