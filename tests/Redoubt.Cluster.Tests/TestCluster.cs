using System.Diagnostics;
using Npgsql;
using Redoubt.Cli.Commands;
using Redoubt.Cli.Local;
using Redoubt.Cli.Verify;

namespace Redoubt.Cluster.Tests;

/// <summary>A local cluster, the same processes as <c>./redoubt up</c>, in a folder of its own that goes with it.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private readonly ClusterSpec _spec;
    private readonly ClusterPaths _paths;
    private Supervisor _supervisor;

    private TestCluster(ClusterSpec spec, ClusterPaths paths, Supervisor supervisor)
    {
        _spec = spec;
        _paths = paths;
        _supervisor = supervisor;
    }

    public ClusterPaths Paths => _paths;

    public Supervisor Supervisor => _supervisor;

    public static async Task<TestCluster> StartAsync(int copies = 3, int groups = 1, int postgres = 17, IReadOnlyDictionary<string, string>? parameters = null)
    {
        string folder = Directory.CreateTempSubdirectory("redoubt-cluster-").FullName;
        File.SetUnixFileMode(folder, (UnixFileMode)0b111_101_101);
        var paths = new ClusterPaths(folder);
        var spec = new ClusterSpec
        {
            Name = "test", Volume = Guid.NewGuid(), Copies = copies, Groups = groups, Postgres = postgres, Port = FreePorts.Take(1)[0],
            Parameters = parameters ?? new Dictionary<string, string>(),
        };
        spec.Validate();
        Directory.CreateDirectory(paths.Logs);
        var supervisor = await SuperviseCommand.StartAsync(spec, paths, _ => { }, default);
        var cluster = new TestCluster(spec, paths, supervisor);
        try
        {
            await cluster.WaitForAsync("the cluster to be ready", s => s.Phase == "Ready");
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }

        return cluster;
    }

    public Task<string> DrillAsync(string kind, string target, long amount = 0) => _supervisor.DrillAsync(kind, target, amount);

    public Task<ClusterStatus> StatusAsync() => _supervisor.StatusAsync();

    /// <summary>As <c>down</c> and <c>up</c>; returns how long <c>up</c> took to be ready.</summary>
    public async Task<TimeSpan> DownAndUpAsync()
    {
        await _supervisor.DisposeAsync();
        long started = Stopwatch.GetTimestamp();
        _supervisor = await SuperviseCommand.StartAsync(_spec, _paths, _ => { }, default);
        await WaitForAsync("the cluster to be ready again", s => s.Phase is "Ready" or "Degraded");
        return Stopwatch.GetElapsedTime(started);
    }

    public async Task<ClusterStatus> WaitForAsync(string what, Func<ClusterStatus, bool> condition)
    {
        var clock = Stopwatch.StartNew();
        ClusterStatus status;
        do
        {
            status = await StatusAsync();
            if (condition(status))
            {
                return status;
            }

            await Task.Delay(50);
        }
        while (clock.Elapsed < Patience);
        Assert.Fail($"Waited in vain for {what}: {status.Phase}, {status.Message}\n{LogsTail()}");
        return status;
    }

    public string ConnectionString(string database = "postgres") => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1", Port = int.Parse(_supervisor.Definitions[^1].Environment["REDOUBT_PORT"], System.Globalization.CultureInfo.InvariantCulture), Username = "postgres",
        Database = database, Pooling = false, Timeout = 5, CommandTimeout = 0, KeepAlive = 0,
    }.ConnectionString;

    /// <summary>A connection, tried again while the compute starts.</summary>
    public async Task<NpgsqlConnection> ConnectAsync(string database = "postgres")
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var connection = new NpgsqlConnection(ConnectionString(database));
            try
            {
                await connection.OpenAsync();
                return connection;
            }
            catch (Exception e) when (e is NpgsqlException or TimeoutException && clock.Elapsed < Patience)
            {
                await connection.DisposeAsync();
                await Task.Delay(20);
            }
        }
    }

    public async Task ExecuteAsync(string sql, string database = "postgres")
    {
        await using var connection = await ConnectAsync(database);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    public async Task<T> QueryAsync<T>(string sql, string database = "postgres")
    {
        await using var connection = await ConnectAsync(database);
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>As <c>verify cluster</c>; fails on any difference.</summary>
    public async Task VerifyAsync()
    {
        var said = new List<string>();
        var status = await WaitForAsync("all copies", s => s.Phase == "Ready");
        using var verifier = new ClusterVerifier(status, _spec, (await File.ReadAllTextAsync(_paths.Secret)).Trim(), said.Add);
        await verifier.RunAsync(default);
        Assert.True(verifier.Mismatches == 0 && verifier.AmcheckErrors == 0, string.Join('\n', said));
        Assert.True(verifier.PagesCompared > 5000, "hardly anything was compared");
    }

    public string LogOf(string name)
    {
        using var stream = new FileStream(_paths.LogOf(name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    public async ValueTask DisposeAsync()
    {
        await _supervisor.DisposeAsync();
        if (TestContext.Current.TestState?.Result == TestResult.Failed)
        {
            TestContext.Current.SendDiagnosticMessage(LogsTail());
        }

        Directory.Delete(_paths.Folder, recursive: true);
    }

    private string LogsTail() => string.Join('\n', Directory.GetFiles(_paths.Logs).Order().SelectMany(file =>
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Split('\n').TakeLast(15).Prepend($"== {Path.GetFileName(file)}");
    }));
}
