using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Redoubt.Cli.Local;
using Redoubt.Cli.Toolchain;

namespace Redoubt.Cluster.Tests;

/// <summary>The commands as a person runs them, one after the other, on a real cluster.</summary>
public sealed class CommandLineTests : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("redoubt-home-").FullName;

    public CommandLineTests() => File.SetUnixFileMode(_home, (UnixFileMode)0b111_101_101);

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public async Task Up_status_drill_down_and_up_again()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        string dir = Path.Combine(_home, "demo");
        string port = $"{((IPEndPoint)taken.LocalEndpoint).Port}";
        try
        {
            var up = await RunAsync("up", "--dir", dir, "--copies", "1", "--port", port, "--detach");
            Assert.True(up.ExitCode == 0, up.Error + up.Output);
            var status = await StatusAsync(dir);
            Assert.Equal("Ready", status.GetProperty("phase").GetString());
            foreach (string field in new[] { "name", "epoch", "vdl", "supervisorPid", "copies", "writeQuorum", "readQuorum", "groups", "endpoints", "processes", "network" })
            {
                Assert.True(status.TryGetProperty(field, out _), field);
            }

            string uri = status.GetProperty("endpoints").GetProperty("primary").GetString()!;
            Assert.DoesNotContain($":{port}/", uri, StringComparison.Ordinal);
            int[] pids = [.. status.GetProperty("processes").EnumerateArray().SelectMany(p => p.EnumerateObject()).Where(p => p.Name is "pid" or "postgresPid").Select(p => p.Value.GetInt32())];
            Assert.Equal(3, pids.Length);

            Assert.Contains("running already", (await RunAsync("up", "--dir", dir, "--detach")).Output, StringComparison.Ordinal);
            Assert.Equal(2, (await RunAsync("up", "--dir", dir, "--copies", "3")).ExitCode);
            Assert.Equal((UnixFileMode)0b110_000_000, File.GetUnixFileMode(Path.Combine(dir, "secret")));
            await ExecuteAsync(uri, "CREATE TABLE t AS SELECT generate_series(1, 10) i");

            // The supervisor dies in the worst way: everything dies with it, and nothing is lost.
            ProcessTree.Signal(status.GetProperty("supervisorPid").GetInt32(), ProcessTree.SigKill);
            var end = DateTime.UtcNow + TestCluster.Patience;
            while (pids.Any(ProcessTree.IsAlive))
            {
                Assert.True(DateTime.UtcNow < end, "processes outlive their supervisor");
                await Task.Delay(20);
            }

            Assert.Equal("Stopped", (await StatusAsync(dir)).GetProperty("phase").GetString());
            up = await RunAsync("up", "--dir", dir, "--detach");
            Assert.True(up.ExitCode == 0, up.Error + up.Output);
            uri = (await StatusAsync(dir)).GetProperty("endpoints").GetProperty("primary").GetString()!;
            Assert.Equal(10L, await ExecuteAsync(uri, "SELECT count(*) FROM t"));
            var verified = await RunAsync("verify", "cluster", "--dir", dir, "-o", "json");
            Assert.True(verified.ExitCode == 0, verified.Error + verified.Output);
            Assert.Equal(0, JsonDocument.Parse(verified.Output).RootElement.GetProperty("mismatches").GetInt64());
            var refused = await RunAsync("drill", "kill", "storage-7", "--dir", dir);
            Assert.Equal((2, true), (refused.ExitCode, refused.Error.Contains("There is no 'storage-7'", StringComparison.Ordinal)));
        }
        finally
        {
            Assert.Equal(0, (await RunAsync("down", "--dir", dir, "--destroy")).ExitCode);
        }

        Assert.False(Directory.Exists(dir));
        Assert.Equal(0, (await RunAsync("down", "--dir", dir, "--destroy")).ExitCode);
    }

    private static async Task<object?> ExecuteAsync(string uri, string sql)
    {
        var address = new Uri(uri);
        await using var connection = new Npgsql.NpgsqlConnection($"Host={address.Host};Port={address.Port};Username=postgres;Database=postgres;Pooling=false");
        await connection.OpenAsync();
        await using var command = new Npgsql.NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    private static async Task<JsonElement> StatusAsync(string dir)
    {
        var run = await RunAsync("status", "--dir", dir, "-o", "json");
        Assert.True(run.ExitCode == 0, run.Error);
        return JsonDocument.Parse(run.Output).RootElement;
    }

    private static Task<ToolResult> RunAsync(params string[] arguments) => Tool.RunAsync(
        RepositoryLayout.DotnetHost, [Path.Combine(AppContext.BaseDirectory, "Redoubt.Cli.dll"), .. arguments],
        environment: new Dictionary<string, string> { ["REDOUBT_HOME"] = RepositoryLayout.Home, ["REDOUBT_ROOT"] = RepositoryLayout.Root });
}
