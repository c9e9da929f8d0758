using Redoubt.Cli.Toolchain;
using Redoubt.Wal;

namespace Redoubt.Verify.Tests;

/// <summary>Users' SQL files (folder Workloads): any file that psql can run.</summary>
public sealed class UserWorkloadTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task Files_that_fail_crash_and_hide_are_followed_to_the_end(PgVersion version)
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "Workloads", "sql");
        var steps = new List<string>();
        var result = await VerifyRedo.RunAsync(
            new VerifyRedoOptions
            {
                Version = version,
                BinFolder = await PostgresBinaries.EnsureAsync((int)version, cancellation: TestContext.Current.CancellationToken),
                Workloads = [.. ((string[])["unusual", "crash", "after", "last"]).Select(name => Path.Combine(folder, name + ".sql"))],
                Passes = VerifyPasses.Images | VerifyPasses.Standby,
                Progress = line =>
                {
                    steps.Add(line);
                    output.WriteLine(line);
                },
            },
            TestContext.Current.CancellationToken);
        Assert.True(result.Passed, string.Join('\n', result.Messages));
        Assert.Contains(steps, step => step.StartsWith("images: crash.sql: ", StringComparison.Ordinal) && step.Contains("connection", StringComparison.Ordinal));
        Assert.Contains(result.Counts.Kinds(), kind => kind is { Rmgr: RmgrId.Storage, Info: 0x20, Seen: > 0 });
        Assert.Contains(result.Counts.Kinds(), kind => kind is { Rmgr: RmgrId.Tablespace, Info: 0x00, Seen: >= 4 });
        Assert.Contains(result.Counts.Kinds(), kind => kind is { Rmgr: RmgrId.Database, Info: 0x20, Seen: > 0 });
        Assert.True(result.Counts.PagesCompared > 10_000, $"only {result.Counts.PagesCompared} pages compared");
    }
}
