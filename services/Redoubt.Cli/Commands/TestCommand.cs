using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Xml.Linq;
using Redoubt.Cli.Toolchain;

namespace Redoubt.Cli.Commands;

/// <summary><c>./redoubt test</c>: builds everything, runs every test project, counts, and closes with what failed and why.</summary>
internal static class TestCommand
{
    private static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(25);
    private static readonly TimeSpan LongestSoak = TimeSpan.FromHours(3);

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
        int built = await RunProcessAsync(
            ["build", Path.Combine(RepositoryLayout.Root, "Cluster.sln"), "-c", "Release", "--nologo", "-v", "q", "-clp:NoSummary"], log: null, soak, cancellation);
        if (built != 0)
        {
            throw new CliException("The project does not build; the compiler's messages are above.");
        }

        int passed = 0, failed = 0, skipped = 0;
        var failures = new List<string>();
        string logs = Directory.CreateDirectory(Path.Combine(RepositoryLayout.Home, "test-logs")).FullName;
        foreach (string project in TestProjects())
        {
            string name = project == EndToEnd ? "Redoubt.EndToEnd" : Path.GetFileNameWithoutExtension(project);
            string dll = Path.Combine(Path.GetDirectoryName(project)!, "bin", "Release", "net10.0", name + ".dll");
            string xml = Path.Combine(logs, name + ".xml"), log = Path.Combine(logs, name + ".log");
            File.Delete(xml);
            string[] only = filter is null ? [] : ["-method", $"*{filter}*"];
            long started = Stopwatch.GetTimestamp();
            int status = await RunTestsAsync([dll, "-result-xml", xml, "-noColor", .. only], log, soak, cancellation);
            var results = File.Exists(xml) ? XDocument.Load(xml).Root : null;
            var counts = results is null ? (Passed: 0, Failed: 0, Skipped: 0) : Count(results);
            // A run that ends badly without a failed test (a crash, no result file) is a failure all the same.
            if (counts.Failed == 0 && status != 0 && !(filter is not null && counts.Passed + counts.Skipped == 0 && results is not null))
            {
                counts.Failed = 1;
                failures.Add($"{name} ended with status {status}; its last lines:\n{string.Join('\n', File.ReadLines(log).TakeLast(40))}");
            }

            failures.AddRange(results is null ? [] : Failures(results));
            Console.WriteLine($"{name}: {counts.Passed} passed, {counts.Failed} failed, {counts.Skipped} skipped in {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s");
            passed += counts.Passed;
            failed += counts.Failed;
            skipped += counts.Skipped;
        }

        foreach (string failure in failures)
        {
            Console.WriteLine($"\nFAILED {failure}");
        }

        if (failures.Count > 0)
        {
            Console.WriteLine($"\nEverything that the tests printed is in {logs}.");
        }

        Console.WriteLine($"{passed} passed, {failed} failed, {skipped} skipped");
        return failed == 0 && (passed > 0 || filter is null) ? 0 : CliException.Failed;
    }

    private static string EndToEnd => Path.Combine(RepositoryLayout.Root, "tests", "EndToEnd", "EndToEnd.csproj");

    /// <summary>The test projects, the one that needs everything else last.</summary>
    private static IEnumerable<string> TestProjects() =>
        Directory.EnumerateFiles(Path.Combine(RepositoryLayout.Root, "tests"), "*Tests.csproj", SearchOption.AllDirectories).Order().Append(EndToEnd);

    private static (int Passed, int Failed, int Skipped) Count(XElement results)
    {
        int Sum(string attribute) => results.Elements("assembly").Sum(a => int.Parse(a.Attribute(attribute)?.Value ?? "0", CultureInfo.InvariantCulture));
        return (Sum("passed"), Sum("failed") + Sum("errors"), Sum("skipped"));
    }

    /// <summary>Name, message and stack of each failed test, and the end of what it printed.</summary>
    private static IEnumerable<string> Failures(XElement results)
    {
        foreach (var test in results.Descendants("test").Where(t => t.Attribute("result")?.Value == "Fail"))
        {
            string output = test.Element("output")?.Value ?? "";
            yield return $"{test.Attribute("name")?.Value}\n{test.Element("failure")?.Element("message")?.Value}\n{test.Element("failure")?.Element("stack-trace")?.Value}"
                + (output.Length == 0 ? "" : $"\nIt printed, at last:\n{output[^Math.Min(output.Length, 4000)..]}");
        }

        foreach (var error in results.Descendants("error"))
        {
            yield return $"{error.Attribute("type")?.Value} {error.Attribute("name")?.Value}\n{error.Element("failure")?.Element("message")?.Value}";
        }
    }

    /// <summary>Runs a test project, which ends in time or is ended.</summary>
    private static async Task<int> RunTestsAsync(string[] arguments, string log, bool soak, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(soak ? LongestSoak : LongestRun);
        try
        {
            return await RunProcessAsync(arguments, log, soak, limit.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            await File.AppendAllTextAsync(log, $"\nended after {(soak ? LongestSoak : LongestRun).TotalMinutes} minutes\n", CancellationToken.None);
            return CliException.Failed;
        }
    }

    /// <summary>Runs dotnet with these arguments; what it and its children print goes to <paramref name="log"/>, or on to the console.</summary>
    private static async Task<int> RunProcessAsync(string[] arguments, string? log, bool soak, CancellationToken cancellation)
    {
        // A file, not a pipe: a process that a test leaves behind would hold a pipe open, and this run with it.
        string[] line = log is null ? [RepositoryLayout.DotnetHost, .. arguments] : ["/bin/sh", "-c", "exec \"$@\" >\"$0\" 2>&1", log, RepositoryLayout.DotnetHost, .. arguments];
        var start = new ProcessStartInfo(line[0], line[1..]) { WorkingDirectory = RepositoryLayout.Root };
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
