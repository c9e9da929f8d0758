using Redoubt.Cli.Toolchain;

namespace Redoubt.Shim.Tests;

/// <summary>Every file call that the shim takes over, from a small C program, against pages that name themselves.</summary>
public sealed class CallTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("redoubt-calls-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Every_call_sees_pages_and_none_makes_a_hole()
    {
        string program = Path.Combine(_folder, "calls");
        var built = await Tool.RunAsync("cc", ["-O1", "-Wall", "-Werror", "-o", program, Path.Combine(AppContext.BaseDirectory, "calls.c")]);
        Assert.True(built.ExitCode == 0, built.Error);
        string data = Path.Combine(_folder, "data");
        foreach (string name in new[] { "base/5", "global", "pg_xact", "pg_wal", "pg_multixact/members", "pg_multixact/offsets", "pg_commit_ts", "pg_tblspc/9/PG_17_1/5" })
        {
            Directory.CreateDirectory(Path.Combine(data, name));
        }

        // Every file that the program asks for has the same numbered pages.
        string source = Path.Combine(_folder, "source");
        byte[] pages = new byte[64 * 8192];
        for (int i = 0; i < pages.Length; i++)
        {
            pages[i] = (byte)((i / 8192) + 1);
        }

        await using var server = new PageServer(Path.Combine(_folder, "agent.sock"), source) { FixedContents = pages };
        var run = await Tool.RunAsync(
            program,
            [],
            data,
            new Dictionary<string, string>
            {
                ["LD_PRELOAD"] = await PgShim.EnsureAsync(default),
                ["REDOUBT_SHIM_SOCKET"] = server.SocketPath,
                ["REDOUBT_SHIM_TIMEOUT_MS"] = "3000",
            });
        Assert.Equal("ok\n", run.Output + run.Error);
        Assert.Contains(("base/5/202", 0u, 5u), server.Prefetches);

        // What was fetched once is in the file: base/5/100 was read in full, and no block was asked for twice.
        var blocks = server.Gets["base/5/100"].SelectMany(g => Enumerable.Range((int)g.First, (int)g.Count)).ToList();
        Assert.Equal(38, blocks.Count);
        Assert.Equal(blocks.Count, blocks.Distinct().Count());
    }

    [Fact]
    public async Task A_sync_of_the_log_waits_for_the_agent_and_nothing_ends_it_and_after_the_lease_nobody_is_answered()
    {
        string program = Path.Combine(_folder, "log");
        var built = await Tool.RunAsync("cc", ["-O1", "-Wall", "-Werror", "-o", program, Path.Combine(AppContext.BaseDirectory, "log.c")]);
        Assert.True(built.ExitCode == 0, built.Error);
        string data = Path.Combine(_folder, "data"), page = Path.Combine(_folder, "page");
        Directory.CreateDirectory(Path.Combine(data, "pg_wal"));
        byte[] contents = new byte[4096];
        "RDLG"u8.CopyTo(contents);
        contents[4] = 1;
        await File.WriteAllBytesAsync(page, contents);
        var run = await Tool.RunAsync(
            program,
            [page],
            data,
            new Dictionary<string, string>
            {
                ["LD_PRELOAD"] = await PgShim.EnsureAsync(default),
                ["REDOUBT_SHIM_SOCKET"] = Path.Combine(_folder, "none"),
                ["REDOUBT_SHIM_LOG"] = page,
            });
        Assert.Equal("ok\n", run.Output);
        Assert.Contains("has not confirmed that this is the primary", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_its_environment_the_shim_does_nothing()
    {
        string file = Path.Combine(_folder, "base", "5", "1");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        using (var handle = File.OpenHandle(file, FileMode.CreateNew, FileAccess.Write))
        {
            RandomAccess.SetLength(handle, 3 * 8192);
        }

        var run = await Tool.RunAsync("dd", ["if=base/5/1", "bs=8192", "of=copy"], _folder, new Dictionary<string, string> { ["LD_PRELOAD"] = await PgShim.EnsureAsync(default) });
        Assert.True(run.ExitCode == 0, run.Error);
        Assert.Equal(new byte[3 * 8192], await File.ReadAllBytesAsync(Path.Combine(_folder, "copy")));
    }
}
