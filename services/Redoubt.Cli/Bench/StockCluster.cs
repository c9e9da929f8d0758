using Npgsql;
using Redoubt.Cli.Toolchain;
using Redoubt.Verify;
using Redoubt.Wal;

namespace Redoubt.Cli.Bench;

/// <summary>
/// The comparator: a stock PostgreSQL, with as many streaming standbys as make the same number of durable copies. Clients and standbys come over TCP, as
/// Redoubt's clients and segments do.
/// </summary>
internal sealed class StockCluster : IAsyncDisposable
{
    private readonly string _folder;
    private readonly List<StockPostgres> _standbys = [];
    private readonly Dictionary<string, string> _settings;

    private StockCluster(string folder, StockPostgres primary, Dictionary<string, string> settings)
    {
        _folder = folder;
        _settings = settings;
        Primary = primary;
    }

    /// <summary>Where clients connect.</summary>
    public StockPostgres Primary { get; }

    /// <summary>Makes a primary of its own; settings on top of PostgreSQL's defaults.</summary>
    public static async Task<StockCluster> StartAsync(int major, IReadOnlyDictionary<string, string> settings, CancellationToken cancellation)
    {
        string bin = await PostgresBinaries.EnsureAsync(major, cancellation: cancellation);
        string folder = Directory.CreateTempSubdirectory("redoubt-stock-").FullName;
        File.SetUnixFileMode(folder, (UnixFileMode)0b111_101_101);
        var primary = new StockPostgres((PgVersion)major, bin, Path.Combine(folder, "p")) { TcpPort = Local.FreePorts.Take(1)[0] };
        await primary.InitDbAsync(checksums: false, cancellation);
        var all = new Dictionary<string, string>(settings);
        await primary.StartAsync(all, cancellation);
        return new StockCluster(folder, primary, all);
    }

    /// <summary>
    /// Adds standbys as copies of the stopped primary and starts everything again, commits waiting for <paramref name="needed"/> of them.
    /// </summary>
    public async Task AddStandbysAsync(int count, int needed, CancellationToken cancellation)
    {
        await Primary.StopAsync(fast: true, cancellation);
        string names = string.Join(", ", Enumerable.Range(0, count).Select(i => $"s{i}"));
        _settings["synchronous_standby_names"] = $"ANY {needed} ({names})";
        _settings["max_wal_senders"] = $"{count + 5}";
        for (int i = 0; i < count; i++)
        {
            var standby = new StockPostgres(Primary.Version, Primary.BinFolder, Path.Combine(_folder, $"s{i}"));
            standby.CopyDataFrom(Primary.DataFolder);
            await File.WriteAllTextAsync(Path.Combine(standby.DataFolder, "standby.signal"), "", cancellation);
            standby.OwnData();
            _standbys.Add(standby);
        }

        await Primary.StartAsync(_settings, cancellation, waitForConnections: false);
        for (int i = 0; i < count; i++)
        {
            var settings = new Dictionary<string, string>(_settings)
            {
                ["synchronous_standby_names"] = "",
                ["primary_conninfo"] = $"host={Primary.Host} port={Primary.Port} user=postgres application_name=s{i}",
                ["shared_buffers"] = "32MB",
            };
            await _standbys[i].StartAsync(settings, cancellation);
        }

        // A first commit proves that enough standbys stream.
        await Primary.ExecuteAsync("CREATE TABLE streaming AS SELECT 1 AS i", cancellation);
    }

    /// <summary>Stops all its processes until the result is disposed.</summary>
    public Local.PausedProcesses Pause() => new([Primary.ProcessId, .. _standbys.Select(s => s.ProcessId)]);

    /// <summary>SIGKILL for the primary's whole tree, then a start that recovers from the log. Returns when it takes connections.</summary>
    public async Task CrashAndRecoverAsync(Action killed, CancellationToken cancellation)
    {
        Local.ProcessTree.Kill(Primary.ProcessId);
        killed();
        await Primary.StopAsync(fast: false, cancellation);
        await Primary.StartAsync(_settings, cancellation);
    }

    /// <summary>One value.</summary>
    public async Task<T> QueryAsync<T>(string sql, CancellationToken cancellation)
    {
        await using var connection = new NpgsqlConnection(Primary.ConnectionString());
        await connection.OpenAsync(cancellation);
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync(cancellation))!;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Primary.DisposeAsync();
        foreach (var standby in _standbys)
        {
            await standby.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }
}
