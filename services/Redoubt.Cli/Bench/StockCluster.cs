using Redoubt.Cli.Bench.Usage;
using Redoubt.Cli.Toolchain;
using Redoubt.Verify;
using Redoubt.Wal;

namespace Redoubt.Cli.Bench;

/// <summary>
/// The comparator: a stock PostgreSQL, with as many streaming standbys as make the same number of durable copies. Clients and standbys come over TCP, as
/// Redoubt's clients and segments do.
/// </summary>
internal sealed class StockCluster : IBenchSide, IAsyncDisposable
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

    /// <inheritdoc/>
    public string ConnectionString => Primary.ConnectionString();

    /// <summary>Makes a primary of its own.</summary>
    public static async Task<StockCluster> StartAsync(BenchOptions options, CancellationToken cancellation)
    {
        string bin = await PostgresBinaries.EnsureAsync(options.Postgres, cancellation: cancellation);
        string folder = Directory.CreateTempSubdirectory("redoubt-stock-").FullName;
        File.SetUnixFileMode(folder, (UnixFileMode)0b111_101_101);
        var primary = new StockPostgres((PgVersion)options.Postgres, bin, Path.Combine(folder, "p")) { TcpPort = Local.FreePorts.Take(1)[0] };
        await primary.InitDbAsync(checksums: false, cancellation);

        // A side that stood still for minutes is not to be taken for dead.
        var all = new Dictionary<string, string>(options.Settings) { ["wal_sender_timeout"] = "0", ["wal_receiver_timeout"] = "0" };
        await primary.StartAsync(all, cancellation);
        return new StockCluster(folder, primary, all);
    }

    /// <summary>
    /// Adds as many standbys as the options want, as copies of the stopped primary, and starts everything again, commits waiting for as many as they
    /// want. Without any it is a restart.
    /// </summary>
    public async Task AddStandbysAsync(BenchOptions options, CancellationToken cancellation)
    {
        if (options.StandbysNeeded == 0)
        {
            await Primary.StopAsync(fast: true, cancellation);
            await Primary.StartAsync(_settings, cancellation);
            return;
        }

        int count = options.Standbys;
        options.Say($"adding {count} streaming standbys");
        await Primary.StopAsync(fast: true, cancellation);
        string names = string.Join(", ", Enumerable.Range(0, count).Select(i => $"s{i}"));
        _settings["synchronous_standby_names"] = $"ANY {options.StandbysNeeded} ({names})";

        // Not below PostgreSQL's default, which the copied control file has: a standby refuses to start with fewer.
        _settings["max_wal_senders"] = $"{Math.Max(10, count + 5)}";
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

    /// <inheritdoc/>
    public Task<IReadOnlyList<ProcessRoot>> ProcessesAsync() => Task.FromResult<IReadOnlyList<ProcessRoot>>(
        [new(Primary.ProcessId, Roles.OfStockPrimary), .. _standbys.Select(s => new ProcessRoot(s.ProcessId, Roles.OfStandby))]);

    /// <inheritdoc/>
    public async Task<SideCounters> CountersAsync(CancellationToken cancellation)
    {
        string flushes = Primary.Version >= PgVersion.Pg18 ? "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'" : "SELECT wal_sync FROM pg_stat_wal";
        string sql = $"SELECT ARRAY[({flushes})::float8, (SELECT coalesce(sum(pg_wal_lsn_diff(sent_lsn, '0/0')), 0) FROM pg_stat_replication)::float8]";
        double[] counters = await BenchSql.QueryAsync<double[]>(ConnectionString, sql, cancellation);
        return new SideCounters(counters[0], counters[1]);
    }

    /// <summary>SIGKILL for the primary's whole tree, then a start that recovers from the log. Returns when the new server runs; it recovers still.</summary>
    public async Task CrashAsync(Action killed, CancellationToken cancellation)
    {
        Local.ProcessTree.Kill(Primary.ProcessId);
        killed();
        await Primary.StopAsync(fast: false, cancellation);
        await Primary.StartAsync(_settings, cancellation, waitForConnections: false);
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
