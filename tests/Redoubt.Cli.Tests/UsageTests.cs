namespace Redoubt.Cli.Tests;

/// <summary>Help, exit status and the one clear sentence of every wrong call.</summary>
public sealed class UsageTests : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("redoubt-cli-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Theory]
    [InlineData("")]
    [InlineData("up")]
    [InlineData("down")]
    [InlineData("status")]
    [InlineData("psql")]
    [InlineData("drill")]
    [InlineData("drill kill")]
    [InlineData("drill slow")]
    [InlineData("test")]
    [InlineData("verify cluster")]
    [InlineData("verify redo")]
    [InlineData("bench")]
    [InlineData("bench commit")]
    [InlineData("bench traffic")]
    [InlineData("bench recovery")]
    [InlineData("bench load")]
    [InlineData("bench redo")]
    public async Task Every_command_has_help_with_an_example(string command)
    {
        var run = await CommandLine.RunAsync(_home, [.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Contains("Example: ./redoubt " + command, run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nonsense", "nonsense")]
    [InlineData("up --copies 5", "6 (writes need 4), 3 (writes need 2) or 1")]
    [InlineData("up --postgres 16", "17 or 18")]
    [InlineData("up --port 99999", "1 to 65535")]
    [InlineData("up --port abc", "'abc' for option '--port'. See ./redoubt up --help")]
    [InlineData("up --groups 0", "1 to 64")]
    [InlineData("up --name Not/Good", "small letters")]
    [InlineData("up -f /nowhere/cluster.yaml", "/nowhere/cluster.yaml cannot be read")]
    [InlineData("drill", "Required command")]
    [InlineData("drill slow storage-0", "--ms")]
    [InlineData("drill slow storage-0 --ms -1", "0 to 60000")]
    [InlineData("drill corrupt storage-0 --bytes 0", "1 to 1048576")]
    [InlineData("status -o xml", "xml")]
    [InlineData("bench commit --seconds 0", "1 to 3600")]
    [InlineData("bench commit --scale 0", "--scale takes 1 to 100000")]
    [InlineData("bench commit --clients 1,x", "--clients takes numbers from 1 to 150 with commas between them, such as 1,4,16,64")]
    [InlineData("bench load --mb 0", "--mb takes 1 to 65536")]
    [InlineData("bench recovery --mb 64,0", "--mb takes numbers from 1 to 65536 with commas between them, such as 64,256,1024,4096")]
    public async Task Wrong_usage_is_status_2_and_one_sentence(string arguments, string says)
    {
        var run = await CommandLine.RunAsync(_home, arguments.Split(' '));
        Assert.Equal((2, ""), (run.ExitCode, run.Output));
        Assert.Single(run.Error.TrimEnd().Split('\n'));
        Assert.Contains(says, run.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_home));
    }

    [Fact]
    public async Task A_folder_that_cannot_be_made_is_status_1_and_one_sentence()
    {
        string file = Path.Combine(_home, "file");
        await File.WriteAllTextAsync(file, "");
        var run = await CommandLine.RunAsync(_home, ["up", "--dir", file, "--detach"]);
        Assert.Equal((1, ""), (run.ExitCode, run.Output));
        Assert.Single(run.Error.TrimEnd().Split('\n'));
        Assert.Contains($"The folder {file} cannot be made", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("status")]
    [InlineData("psql")]
    [InlineData("drill kill compute")]
    [InlineData("verify cluster")]
    public async Task A_cluster_that_does_not_exist_is_status_1_and_says_how_to_make_one(string command)
    {
        var run = await CommandLine.RunAsync(_home, command.Split(' '));
        Assert.Equal((1, ""), (run.ExitCode, run.Output));
        Assert.Contains("./redoubt up", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Down_is_idempotent() => Assert.Equal(0, (await CommandLine.RunAsync(_home, "down", "--destroy")).ExitCode);

    [Fact]
    public async Task Down_destroy_leaves_a_folder_alone_that_is_no_cluster()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_home, "precious")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "file"), "keep me");
        var run = await CommandLine.RunAsync(_home, "down", "--destroy", "--dir", folder);
        Assert.Equal(1, run.ExitCode);
        Assert.True(File.Exists(Path.Combine(folder, "file")));
    }

    [Fact]
    public async Task A_damaged_cluster_file_is_named()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_home, "demo")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "cluster.json"), "{ \"name\": ");
        var run = await CommandLine.RunAsync(_home, "up");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("cluster.json is damaged", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_fixed_when_a_cluster_is_made_is_refused_later()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_home, "demo")).FullName;
        new Local.ClusterSpec { Name = "demo", Volume = Guid.NewGuid(), Copies = 3 }.Save(Path.Combine(folder, "cluster.json"));
        foreach (string[] change in new[] { new[] { "--copies", "6" }, ["--groups", "2"], ["--postgres", "18"] })
        {
            var run = await CommandLine.RunAsync(_home, ["up", .. change]);
            Assert.Equal(2, run.ExitCode);
            Assert.Contains("cannot change to " + change[1], run.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_folder_without_PostgreSQL_is_named()
    {
        var run = await CommandLine.RunAsync(_home, new Dictionary<string, string> { ["REDOUBT_PG_BIN"] = _home, ["REDOUBT_PG_BIN_17"] = "" }, "up");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains($"{_home} holds no postgres", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_version_of_PostgreSQL_than_the_wanted_one_is_named()
    {
        string program = Path.Combine(_home, "postgres");
        await File.WriteAllTextAsync(program, "#!/bin/sh\necho 'postgres (PostgreSQL) 16.3'\n");
        File.SetUnixFileMode(program, (UnixFileMode)0b111_101_101);
        var run = await CommandLine.RunAsync(_home, new Dictionary<string, string> { ["REDOUBT_PG_BIN"] = _home, ["REDOUBT_PG_BIN_17"] = "" }, "up");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("holds PostgreSQL 16, but 17 is wanted", run.Error, StringComparison.Ordinal);
    }
}
