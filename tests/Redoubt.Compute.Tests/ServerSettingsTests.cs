using System.Text.Json;
using Redoubt.Protocol;

namespace Redoubt.Compute.Tests;

/// <summary>A bad parameter is told at once in PostgreSQL's words, and costs neither the running server nor the next start anything.</summary>
public sealed class ServerSettingsTests
{
    private static readonly (string Line, string Name, string Words)[] Bad =
    [
        ("work_mem = '4XB'", "work_mem", "invalid value for parameter \"work_mem\": \"4XB\". Valid units for this parameter are"),
        ("max_wal_sizee = '2GB'", "max_wal_sizee", "unrecognized configuration parameter \"max_wal_sizee\""),
        ("shared_buffers = '64TB'", "shared_buffers", "invalid value for parameter \"shared_buffers\": \"64TB\""),
        ("shared_buffers = '7TB'", "shared_buffers", "could not map anonymous shared memory"),
        ("shared_preload_libraries = 'pg_cron'", "shared_preload_libraries", "could not access file \"pg_cron\": No such file or directory"),
        ("session_preload_libraries = 'nix'", "session_preload_libraries", "could not access file \"nix\""),
        ("local_preload_libraries = 'nix'", "local_preload_libraries", "could not access file \"$libdir/plugins/nix\""),
        ("max_connections = '2'", "max_connections", "must be less than \"max_connections\" (2)"),
        ("ssl = 'on'", "ssl", "could not load server certificate file"),
        ("max_wal_size = 2 GB", "max_wal_size", "syntax error"),
        ("role = 'nobody'", "role", "invalid value for parameter \"role\""),
        ("fsync = 'off'", "fsync", "fsync is set by Redoubt: "),
        ("= nonsense", "", "line 2 of the parameters file"),
    ];

    [Theory]
    [InlineData(17)]
    [InlineData(18)]
    public async Task A_bad_parameter_is_told_and_the_last_good_set_stays_over_a_restart(int version)
    {
        await using var volume = await RealVolume.StartAsync(VolumeShape.ForCopies(1), version);
        var settings = Settings(volume, "maintenance_work_mem = '99MB'\n");
        var agent = await volume.StartAgentAsync("compute", settings);
        int postgres = (await agent.StatusAsync()).GetProperty("postgresPid").GetInt32();
        foreach (var (line, name, words) in Bad)
        {
            volume.WriteFile("parameters", $"maintenance_work_mem = '88MB'\n{line}\n");
            var status = await agent.WhenAsync(line, s => Rejected(s).Any(r => r.Name == name && r.Reason.Contains(words, StringComparison.Ordinal)));
            Assert.Single(Rejected(status));
            Assert.Contains(words, status.GetProperty("message").GetString(), StringComparison.Ordinal);
            Assert.Equal("ready", status.GetProperty("state").GetString());
        }

        Assert.Equal("99MB", await agent.AskAsync("SHOW maintenance_work_mem", "postgres"));
        Assert.Equal(postgres, (await agent.StatusAsync()).GetProperty("postgresPid").GetInt32());

        // Several at once, each by name; and the next start has the last good set.
        volume.WriteFile("parameters", "work_mem = '4XB'\nmaintenance_work_mem = '77MB'\nmax_connections = '2'\nmax_wal_sizee = '1GB'\n");
        await agent.WhenAsync("all three", s => Rejected(s).Select(r => r.Name).Order(StringComparer.Ordinal).SequenceEqual(["max_connections", "max_wal_sizee", "work_mem"]));
        agent.Kill();
        agent = await volume.StartAgentAsync("compute", settings);
        Assert.Equal("99MB", await agent.AskAsync("SHOW maintenance_work_mem", "postgres"));
        Assert.Equal(3, Rejected(await agent.StatusAsync()).Count);

        // Without a disk that remembers: what PostgreSQL takes of it.
        agent.Kill();
        Directory.Delete(agent.Folder, recursive: true);
        agent = await volume.StartAgentAsync("compute", settings);
        Assert.Equal("77MB", await agent.AskAsync("SHOW maintenance_work_mem", "postgres"));
        Assert.Equal(3, Rejected(await agent.StatusAsync()).Count);

        // Put right.
        volume.WriteFile("parameters", "maintenance_work_mem = '66MB'\nshared_buffers = '64MB'\n");
        var right = await agent.WhenAsync("the good file", s => Rejected(s).Count == 0 && s.GetProperty("pendingRestart").GetArrayLength() > 0);
        Assert.Equal("shared_buffers", Assert.Single(right.GetProperty("pendingRestart").EnumerateArray()).GetString());
        Assert.Equal("", right.GetProperty("message").GetString());
        Assert.Equal("66MB", await agent.AskAsync("SHOW maintenance_work_mem", "postgres"));
    }

    [Fact]
    public async Task A_bad_pg_hba_is_told_and_the_one_before_stays()
    {
        await using var volume = await RealVolume.StartAsync(VolumeShape.ForCopies(1));
        var settings = Settings(volume, "");
        settings["REDOUBT_HBA_FILE"] = volume.WriteFile("hba", "host all all 127.0.0.1/32 trust\n");
        var agent = await volume.StartAgentAsync("compute", settings);
        volume.WriteFile("hba", "host all all 127.0.0.1/32 truss\n");
        var status = await agent.WhenAsync("the complaint", s => Rejected(s).Any(r => r.Name == "pg_hba.conf"));
        Assert.Contains("truss", Assert.Single(Rejected(status)).Reason, StringComparison.Ordinal);
        agent.Kill();
        agent = await volume.StartAgentAsync("compute", settings);
        Assert.Equal("1", await agent.AskAsync("SELECT 1", "postgres"));
    }

    [Fact]
    public async Task A_new_cluster_waits_for_its_parameters_and_starts_by_itself_when_they_are_put_right()
    {
        await using var volume = await RealVolume.StartAsync(VolumeShape.ForCopies(1));
        var agent = await volume.StartAgentAsync("compute", Settings(volume, "work_mem = '4XB'\n"), untilReady: false);
        var status = await agent.WhenAsync("state failed", s => s.GetProperty("state").GetString() == "failed");
        Assert.Contains("invalid value for parameter \"work_mem\": \"4XB\"", status.GetProperty("message").GetString(), StringComparison.Ordinal);
        volume.WriteFile("parameters", "work_mem = '5MB'\n");
        await agent.WhenReadyAsync(TimeSpan.FromMinutes(1));
        Assert.Equal("5MB", await agent.AskAsync("SHOW work_mem", "postgres"));
    }

    [Fact]
    public async Task How_PostgreSQL_ended_is_told()
    {
        await using var volume = await RealVolume.StartAsync(VolumeShape.ForCopies(1));
        var agent = await volume.StartAgentAsync("compute", Settings(volume, ""));
        int first = (await agent.StatusAsync()).GetProperty("postgresPid").GetInt32();
        await Assert.ThrowsAnyAsync<Npgsql.NpgsqlException>(() => agent.AskAsync("COPY (SELECT 1) TO PROGRAM 'kill -9 $PPID'", "postgres"));
        await agent.WhenAsync("another postgres", s => s.GetProperty("state").GetString() == "ready" && s.GetProperty("postgresPid").GetInt32() != first);
        Assert.Matches(@"postgres ended with status [1-9]\d* \(LOG: .* was terminated by signal 9: Killed\); starting again", agent.Log);
        Assert.DoesNotContain("postgres ended with status 0", agent.Log, StringComparison.Ordinal);
    }

    private static Dictionary<string, string> Settings(RealVolume volume, string parameters) =>
        new() { ["REDOUBT_PARAMETERS_FILE"] = volume.WriteFile("parameters", parameters) };

    private static IReadOnlyList<(string Name, string Reason)> Rejected(JsonElement status) =>
        [.. status.GetProperty("parametersRejected").EnumerateArray().Select(r => (r.GetProperty("name").GetString()!, r.GetProperty("reason").GetString()!))];
}
