using Npgsql;

namespace Redoubt.Cli.Verify;

/// <summary>PostgreSQL's own checks: <c>verify_heapam</c> on every table, <c>bt_index_check</c> on every B-tree, in every database.</summary>
/// <param name="connectionString">Connects to a database by name.</param>
/// <param name="say">Gets a line for each complaint.</param>
internal sealed class AmCheck(Func<string, string> connectionString, Action<string> say)
{
    /// <remarks>Of the built-in access method: amcheck refuses any other one, even one with the same handler.</remarks>
    private const string Tables =
        "SELECT c.oid, c.oid::regclass::text FROM pg_class c WHERE c.relkind IN ('r', 't', 'm') AND c.relpersistence = 'p' AND c.relam = 2 ORDER BY 1";

    private const string Indexes =
        """
        SELECT c.oid, c.oid::regclass::text FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_am a ON a.oid = c.relam
        WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence = 'p' AND i.indisvalid AND i.indisready ORDER BY 1
        """;

    /// <summary>Number of complaints.</summary>
    public async Task<long> RunAsync(CancellationToken cancellation)
    {
        long errors = 0;
        foreach (string database in await ListAsync("postgres", "SELECT datname::text FROM pg_database WHERE datallowconn", reader => reader.GetString(0), cancellation))
        {
            errors += await CheckAsync(database, cancellation);
        }

        return errors;
    }

    private async Task<long> CheckAsync(string database, CancellationToken cancellation)
    {
        long errors = 0;
        await using var connection = new NpgsqlConnection(connectionString(database));
        await connection.OpenAsync(cancellation);
        var tables = await ListAsync(database, Tables, reader => (Oid: reader.GetFieldValue<uint>(0), Name: reader.GetString(1)), cancellation);
        var indexes = await ListAsync(database, Indexes, reader => (Oid: reader.GetFieldValue<uint>(0), Name: reader.GetString(1)), cancellation);

        // The extension lives in a transaction that is rolled back: checking leaves nothing behind.
        await using var transaction = await connection.BeginTransactionAsync(cancellation);
        await ExecuteAsync(connection, "CREATE EXTENSION IF NOT EXISTS amcheck; SET LOCAL statement_timeout = 0", cancellation);
        foreach (var (oid, name) in tables)
        {
            errors += await TryAsync(connection, database, name, $"SELECT blkno, offnum, msg FROM verify_heapam({oid})", cancellation);
        }

        foreach (var (oid, name) in indexes)
        {
            errors += await TryAsync(connection, database, name, $"SELECT bt_index_check({oid}, heapallindexed => true)", cancellation);
        }

        await transaction.RollbackAsync(cancellation);
        say($"amcheck in {database}: {tables.Count} tables, {indexes.Count} B-trees, {errors} errors");
        return errors;
    }

    private async Task<long> TryAsync(NpgsqlConnection connection, string database, string name, string sql, CancellationToken cancellation)
    {
        long errors = 0;
        await ExecuteAsync(connection, "SAVEPOINT one", cancellation);
        try
        {
            await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
            await using var reader = await command.ExecuteReaderAsync(cancellation);
            // verify_heapam returns a row a complaint; bt_index_check returns one void, and complains by an error.
            while (await reader.ReadAsync(cancellation) && reader.FieldCount == 3)
            {
                errors++;
                say($"amcheck in {database}: {name} block {reader.GetValue(0)} item {reader.GetValue(1)}: {reader.GetValue(2)}");
            }
        }
        catch (PostgresException e) when (e.SqlState is "42P01" or "XX000" or "42704" && e.MessageText.Contains("could not open relation", StringComparison.Ordinal))
        {
            // Dropped meanwhile.
        }
        catch (PostgresException e)
        {
            errors++;
            say($"amcheck in {database}: {name}: {e.MessageText}");
        }

        await ExecuteAsync(connection, "ROLLBACK TO one; RELEASE one", cancellation);
        return errors;
    }

    private async Task<List<T>> ListAsync<T>(string database, string sql, Func<NpgsqlDataReader, T> read, CancellationToken cancellation)
    {
        var list = new List<T>();
        await using var connection = new NpgsqlConnection(connectionString(database));
        await connection.OpenAsync(cancellation);
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        while (await reader.ReadAsync(cancellation))
        {
            list.Add(read(reader));
        }

        return list;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellation);
    }
}
