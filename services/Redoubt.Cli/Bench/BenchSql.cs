using Npgsql;

namespace Redoubt.Cli.Bench;

/// <summary>Single statements, each in a session of its own.</summary>
internal static class BenchSql
{
    /// <summary>Runs it.</summary>
    public static async Task ExecuteAsync(string connectionString, string sql, CancellationToken cancellation)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellation);
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellation);
    }

    /// <summary>Its one value.</summary>
    public static async Task<T> QueryAsync<T>(string connectionString, string sql, CancellationToken cancellation)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellation);
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        return (T)(await command.ExecuteScalarAsync(cancellation))!;
    }

    /// <summary>Where the log ends, in bytes.</summary>
    public static Task<long> LogEndAsync(string connectionString, CancellationToken cancellation) =>
        QueryAsync<long>(connectionString, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint", cancellation);

    /// <summary>Tries a statement until it succeeds: the server may be starting, or stood still and let its sessions go.</summary>
    /// <exception cref="CliException">It did not within the deadline.</exception>
    public static async Task UntilDoneAsync(string connectionString, string sql, TimeSpan deadline, CancellationToken cancellation)
    {
        var end = DateTime.UtcNow + deadline;
        while (true)
        {
            try
            {
                await ExecuteAsync(connectionString, sql, cancellation);
                return;
            }
            catch (NpgsqlException) when (DateTime.UtcNow < end)
            {
                await Task.Delay(5, cancellation);
            }
            catch (NpgsqlException e)
            {
                throw new CliException($"The server took no commit within {deadline.TotalSeconds:0} s: {e.Message}");
            }
        }
    }
}
