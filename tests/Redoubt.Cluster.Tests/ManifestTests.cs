using System.Text.Json;
using Redoubt.Cli.Toolchain;

namespace Redoubt.Cluster.Tests;

/// <summary><c>up -f</c> on a running cluster says at once what PostgreSQL has against a manifest.</summary>
public sealed class ManifestTests : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("redoubt-home-").FullName;

    public ManifestTests() => File.SetUnixFileMode(_home, (UnixFileMode)0b111_101_101);

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public async Task A_parameter_that_PostgreSQL_refuses_is_told_in_its_words_and_changes_nothing()
    {
        string dir = Path.Combine(_home, "demo");
        try
        {
            var up = await UpAsync(dir, "{work_mem: 5MB}");
            Assert.True(up.ExitCode == 0, up.Error + up.Output);
            var before = await StatusAsync(dir);
            var refused = await UpAsync(dir, "{work_mem: 4XB, max_wal_sizee: 2GB}");
            Assert.Equal(1, refused.ExitCode);
            Assert.Contains("work_mem = 4XB: invalid value for parameter \"work_mem\": \"4XB\"", refused.Error, StringComparison.Ordinal);
            Assert.Contains("unrecognized configuration parameter \"max_wal_sizee\"", refused.Error, StringComparison.Ordinal);
            var after = await StatusAsync(dir);
            Assert.Equal("Ready", after.GetProperty("phase").GetString());
            Assert.Contains("invalid value for parameter \"work_mem\"", after.GetProperty("message").GetString(), StringComparison.Ordinal);
            Assert.Equal(Compute(before).GetProperty("postgresPid").GetInt32(), Compute(after).GetProperty("postgresPid").GetInt32());
            Assert.Equal("max_wal_sizee,work_mem", string.Join(',', Compute(after).GetProperty("parametersRejected").EnumerateArray().Select(p => p.GetProperty("name").GetString()).Order(StringComparer.Ordinal)));

            // A restart has the last good set, and says so.
            Assert.Equal(0, (await RunAsync("down", "--dir", dir)).ExitCode);
            var again = await RunAsync("up", "--dir", dir, "--detach");
            Assert.Equal(1, again.ExitCode);
            Assert.Contains("work_mem = 4XB", again.Error, StringComparison.Ordinal);
            Assert.Equal("Ready", (await StatusAsync(dir)).GetProperty("phase").GetString());

            var right = await UpAsync(dir, "{work_mem: 6MB}");
            Assert.True(right.ExitCode == 0, right.Error + right.Output);
            Assert.False((await StatusAsync(dir)).TryGetProperty("message", out _));
        }
        finally
        {
            Assert.Equal(0, (await RunAsync("down", "--dir", dir, "--destroy")).ExitCode);
        }
    }

    private static JsonElement Compute(JsonElement status) => status.GetProperty("processes").EnumerateArray().Single(p => p.GetProperty("role").GetString() == "primary");

    private async Task<ToolResult> UpAsync(string dir, string parameters)
    {
        string manifest = Path.Combine(_home, "cluster.yaml");
        await File.WriteAllTextAsync(manifest, $$"""
            apiVersion: redoubt.dev/v1alpha1
            kind: DatabaseCluster
            metadata: {name: demo}
            spec:
              postgres:
                parameters: {{parameters}}
              storage: {copies: 1}
            """);
        return await RunAsync("up", "--dir", dir, "--detach", "-f", manifest);
    }

    private static async Task<JsonElement> StatusAsync(string dir) => JsonDocument.Parse((await RunAsync("status", "--dir", dir, "-o", "json")).Output).RootElement;

    private static Task<ToolResult> RunAsync(params string[] arguments) => Tool.RunAsync(
        RepositoryLayout.DotnetHost, [Path.Combine(AppContext.BaseDirectory, "Redoubt.Cli.dll"), .. arguments],
        environment: new Dictionary<string, string> { ["REDOUBT_HOME"] = RepositoryLayout.Home, ["REDOUBT_ROOT"] = RepositoryLayout.Root });
}
