using Npgsql;

namespace Redoubt.Cluster.Tests;

/// <summary>Three groups, three copies; every feature is used, the compute wiped, and then each is looked at.</summary>
/// <param name="postgres">Major version.</param>
public abstract class ColdFeatures(int postgres) : IAsyncLifetime
{
    internal TestCluster Cluster { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Cluster = await TestCluster.StartAsync(
            copies: 3, groups: 3, postgres: postgres, parameters: new Dictionary<string, string> { ["max_prepared_transactions"] = "5", ["allow_in_place_tablespaces"] = "on", ["autovacuum_naptime"] = "5s" });
        await Cluster.ExecuteAsync("CREATE EXTENSION amcheck");
        await Cluster.ExecuteAsync("CREATE EXTENSION pg_visibility");
        foreach (var feature in SqlFeature.All)
        {
            await using (var connection = await Cluster.ConnectAsync())
            {
                foreach (string statement in feature.Before)
                {
                    await using var command = new NpgsqlCommand(statement, connection);
                    await command.ExecuteNonQueryAsync();
                }
            }

            if (feature.Act is { } act)
            {
                await act(Cluster);
            }
        }

        await Cluster.DrillAsync("wipe", "compute");
        await Cluster.WaitForAsync("the cold start", s => s.Phase == "Ready" && s.Processes[0].Restarts == 1);
    }

    public async ValueTask DisposeAsync() => await Cluster.DisposeAsync();
}

/// <summary>On PostgreSQL 17.</summary>
public sealed class ColdFeatures17() : ColdFeatures(17);

/// <summary>On PostgreSQL 18.</summary>
public sealed class ColdFeatures18() : ColdFeatures(18);

public abstract class SqlFeatureTests(ColdFeatures features)
{
    public static TheoryData<string> Names => [.. SqlFeature.All.Select(f => f.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Feature_survives_a_cold_start(string name)
    {
        var feature = SqlFeature.All.Single(f => f.Name == name);
        await using var connection = await features.Cluster.ConnectAsync();
        foreach (var (query, expected) in feature.After)
        {
            await using var command = new NpgsqlCommand(query, connection);
            Assert.Equal((query, expected), (query, $"{await command.ExecuteScalarAsync()}"));
        }
    }

    [Theory]
    [InlineData("by_log")]
    [InlineData("by_file")]
    public async Task Copied_database_survives_a_cold_start(string database) =>
        Assert.Equal(1234L, await features.Cluster.QueryAsync<long>("SELECT count(*) FROM inside", database));

    [Fact]
    public Task Everything_is_the_same_on_all_copies_and_passes_amcheck() => features.Cluster.VerifyAsync();
}

public sealed class SqlFeatureTests17(ColdFeatures17 features) : SqlFeatureTests(features), IClassFixture<ColdFeatures17>;

public sealed class SqlFeatureTests18(ColdFeatures18 features) : SqlFeatureTests(features), IClassFixture<ColdFeatures18>;
