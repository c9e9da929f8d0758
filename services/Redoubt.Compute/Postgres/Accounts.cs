using Npgsql;
using Redoubt.Compute.Configuration;

namespace Redoubt.Compute.Postgres;

/// <summary>Sets the superuser's password and makes the application's user and database, as configured. Repeating it changes nothing.</summary>
public sealed class Accounts(ComputeOptions options, string connectionString)
{
    /// <summary>True when something is configured.</summary>
    public bool AreConfigured => options.SuperuserPasswordFile is not null || options.AppUser is not null || options.AppDatabase is not null;

    public async Task ApplyAsync(CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        if (options.SuperuserPasswordFile is { } superuser && Password(superuser) is { } password)
        {
            await ExecuteAsync(connection, $"ALTER ROLE postgres PASSWORD {Literal(password)}", cancellationToken).ConfigureAwait(false);
        }

        if (options.AppUser is { } user)
        {
            if (!await ExistsAsync(connection, "SELECT 1 FROM pg_roles WHERE rolname = $1", user, cancellationToken).ConfigureAwait(false))
            {
                await ExecuteAsync(connection, $"CREATE ROLE {Identifier(user)} LOGIN", cancellationToken).ConfigureAwait(false);
            }

            if (options.AppPasswordFile is { } file && Password(file) is { } appPassword)
            {
                await ExecuteAsync(connection, $"ALTER ROLE {Identifier(user)} LOGIN PASSWORD {Literal(appPassword)}", cancellationToken).ConfigureAwait(false);
            }
        }

        if (options.AppDatabase is { } database
            && !await ExistsAsync(connection, "SELECT 1 FROM pg_database WHERE datname = $1", database, cancellationToken).ConfigureAwait(false))
        {
            string owner = options.AppUser is null ? string.Empty : $" OWNER {Identifier(options.AppUser)}";
            await ExecuteAsync(connection, $"CREATE DATABASE {Identifier(database)}{owner}", cancellationToken).ConfigureAwait(false);
        }
    }

    private static string? Password(string file)
    {
        string password = File.ReadAllText(file).TrimEnd('\n', '\r');
        return password.Length == 0 ? null : password;
    }

    private static string Identifier(string name) => '"' + name.Replace("\"", "\"\"", StringComparison.Ordinal) + '"';

    private static string Literal(string text) => " E'" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal) + "'";

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task<bool> ExistsAsync(NpgsqlConnection connection, string sql, string name, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { Parameters = { new NpgsqlParameter { Value = name } } };
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is not null;
    }
}
