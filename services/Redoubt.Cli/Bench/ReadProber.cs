using System.Diagnostics;
using Npgsql;

namespace Redoubt.Cli.Bench;

/// <summary>
/// A session that reads one row of a table of its own every few milliseconds, at random places, and keeps how long each read took. It has a thread of its own: what
/// it waits for is the server.
/// </summary>
internal sealed class ReadProber : IAsyncDisposable
{
    private const int Rows = 100_000;
    private const int PauseMs = 4;

    /// <summary>The table: about 55 MiB, fourteen rows a page.</summary>
    private static readonly string[] Tables =
    [
        "CREATE TABLE probe (id int PRIMARY KEY, v int, pad text)", $"INSERT INTO probe SELECT i, i, repeat('x', 500) FROM generate_series(0, {Rows - 1}) i", "VACUUM ANALYZE probe",
    ];

    private readonly NpgsqlConnection _connection;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private List<double> _readsMs = [];

    private ReadProber(NpgsqlConnection connection)
    {
        _connection = connection;
        new Thread(Run) { IsBackground = true, Name = "read prober" }.Start();
    }

    /// <summary>Makes its table.</summary>
    public static async Task PrepareAsync(string connectionString, CancellationToken cancellation)
    {
        foreach (string sql in Tables)
        {
            await BenchSql.ExecuteAsync(connectionString, sql, cancellation);
        }
    }

    /// <summary>Reads from now on.</summary>
    public static async Task<ReadProber> StartAsync(string connectionString, CancellationToken cancellation)
    {
        var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellation);
        return new ReadProber(connection);
    }

    /// <summary>What the reads since the last call took.</summary>
    public LatencyFigures Take()
    {
        lock (_lock)
        {
            var taken = _readsMs;
            _readsMs = [];
            return LatencyFigures.Of(taken);
        }
    }

    /// <summary>Ends.</summary>
    /// <exception cref="NpgsqlException">A read failed.</exception>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _ended.Task;
        await _connection.DisposeAsync();
        _stop.Dispose();
    }

    private void Run()
    {
        try
        {
            using var command = new NpgsqlCommand("SELECT v FROM probe WHERE id = $1", _connection);
            var id = new NpgsqlParameter<int>();
            command.Parameters.Add(id);
            command.Prepare();
            var random = new Random(1);
            while (!_stop.Token.WaitHandle.WaitOne(PauseMs))
            {
                id.TypedValue = random.Next(Rows);
                long begin = Stopwatch.GetTimestamp();
                _ = command.ExecuteScalar();
                double ms = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
                lock (_lock)
                {
                    _readsMs.Add(ms);
                }
            }

            _ended.SetResult();
        }
        catch (Exception e)
        {
            // It surfaces where the prober is disposed.
            _ended.SetException(e);
        }
    }
}
