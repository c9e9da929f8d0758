using Npgsql;

namespace Redoubt.Cli.Bench.Usage;

/// <summary>Looks again and again at what pgbench's sessions wait for, with a session of its own.</summary>
internal sealed class WaitSampler : IAsyncDisposable
{
    /// <summary>A session that waits for nothing: it runs, or waits for a processor.</summary>
    public const string Runs = "running or ready to run";

    private const string Looks = $"SELECT coalesce(wait_event_type || ':' || wait_event, '{Runs}'), count(*) FROM pg_stat_activity WHERE application_name = 'pgbench' GROUP BY 1";
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private readonly NpgsqlConnection _connection;
    private readonly CancellationTokenSource _stop = new();
    private Task<Dictionary<string, double>>? _sampling;

    private WaitSampler(NpgsqlConnection connection) => _connection = connection;

    /// <summary>Process id of its session's backend.</summary>
    public int BackendPid => _connection.ProcessID;

    public static async Task<WaitSampler> OpenAsync(string connectionString, CancellationToken cancellation)
    {
        var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellation);
        return new WaitSampler(connection);
    }

    /// <summary>Looks from now on.</summary>
    public void Begin() => _sampling = Task.Run(SampleAsync);

    /// <summary>Ends; how often a session was seen in each wait.</summary>
    public async Task<Dictionary<string, double>> EndAsync()
    {
        await _stop.CancelAsync();
        return await _sampling!;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await (_sampling ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _connection.DisposeAsync();
        _stop.Dispose();
    }

    private async Task<Dictionary<string, double>> SampleAsync()
    {
        var seen = new Dictionary<string, double>();
        await using var command = new NpgsqlCommand(Looks, _connection);
        await command.PrepareAsync();
        while (!_stop.IsCancellationRequested)
        {
            await using (var rows = await command.ExecuteReaderAsync())
            {
                while (await rows.ReadAsync())
                {
                    seen[rows.GetString(0)] = seen.GetValueOrDefault(rows.GetString(0)) + rows.GetInt64(1);
                }
            }

            await Task.Delay(Pause, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return seen;
    }
}
