using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Xml.Linq;
using Redoubt.Cli.Toolchain;

namespace Redoubt.Cli.Commands;

/// <summary><c>./redoubt test</c>: builds everything, runs every test project, counts.</summary>
internal static class TestCommand
{
    public static Command Create()
    {
        var filter = new Option<string?>("--filter") { Description = "Only tests whose full name contains this." };
        var soak = new Option<bool>("--soak") { Description = "Long ones too." };
        var command = new Command("test", "Runs the test suite.\n\nExample: ./redoubt test --filter Redoubt.Wal") { filter, soak };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetValue(filter), parsed.GetValue(soak), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string? filter, bool soak, CancellationToken cancellation)
    {
        foreach (int major in PostgresBinaries.SupportedMajors)
        {
            await PostgresBinaries.EnsureAsync(major, Console.WriteLine, cancellation);
        }

        await PgShim.EnsureAsync(cancellation);
        int built = await PassThroughAsync(
            RepositoryLayout.DotnetHost, ["build", Path.Combine(RepositoryLayout.Root, "Cluster.sln"), "-c", "Release", "--nologo", "-v", "q", "-clp:NoSummary"], soak, cancellation);
        if (built != 0)
        {
            throw new CliException("The project does not build; the compiler's messages are above.");
        }

        int passed = 0, failed = 0, skipped = 0;
        string results = Directory.CreateTempSubdirectory("redoubt-test-").FullName;
        try
        {
            foreach (string project in Directory.EnumerateFiles(Path.Combine(RepositoryLayout.Root, "tests"), "*Tests.csproj", SearchOption.AllDirectories).Order())
            {
                string name = Path.GetFileNameWithoutExtension(project);
                string dll = Path.Combine(Path.GetDirectoryName(project)!, "bin", "Release", "net10.0", name + ".dll");
                string xml = Path.Combine(results, name + ".xml");
                string[] only = filter is null ? [] : ["-method", $"*{filter}*"];
                long started = Stopwatch.GetTimestamp();
                int status = await PassThroughAsync(RepositoryLayout.DotnetHost, [dll, "-xml", xml, "-noColor", .. only], soak, cancellation);
                var counts = File.Exists(xml) ? Count(xml) : (Passed: 0, Failed: 0, Skipped: 0);
                // A run that ends badly without a failed test (a crash, no result file) is a failure all the same.
                counts.Failed = counts.Failed == 0 && status != 0 && !(filter is not null && counts.Passed + counts.Skipped == 0 && File.Exists(xml)) ? 1 : counts.Failed;
                Console.WriteLine($"{name}: {counts.Passed} passed, {counts.Failed} failed, {counts.Skipped} skipped in {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s");
                passed += counts.Passed;
                failed += counts.Failed;
                skipped += counts.Skipped;
            }
        }
        finally
        {
            Directory.Delete(results, recursive: true);
        }

        Console.WriteLine($"{passed} passed, {failed} failed, {skipped} skipped");
        return failed == 0 && (passed > 0 || filter is null) ? 0 : CliException.Failed;
    }

    private static (int Passed, int Failed, int Skipped) Count(string xml)
    {
        int Sum(XElement root, string attribute) => root.Elements("assembly").Sum(a => int.Parse(a.Attribute(attribute)?.Value ?? "0", CultureInfo.InvariantCulture));
        var root = XDocument.Load(xml).Root!;
        return (Sum(root, "passed"), Sum(root, "failed") + Sum(root, "errors"), Sum(root, "skipped"));
    }

    private static async Task<int> PassThroughAsync(string program, string[] arguments, bool soak, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = RepositoryLayout.Root };
        start.Environment["REDOUBT_ROOT"] = RepositoryLayout.Root;
        start.Environment["REDOUBT_HOME"] = RepositoryLayout.Home;
        start.Environment["REDOUBT_SOAK"] = soak ? "1" : "";
        using var process = Process.Start(start)!;
        try
        {
            await process.WaitForExitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return process.ExitCode;
    }
}
