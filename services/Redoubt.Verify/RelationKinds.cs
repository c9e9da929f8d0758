using Npgsql;
using Redoubt.Wal;

namespace Redoubt.Verify;

/// <summary>What the relations of a running cluster are, from its catalogs: which mask their pages need, and whether they are logged.</summary>
public sealed class RelationKinds
{
    private const string Query =
        """
        SELECT CASE WHEN c.reltablespace = 0 THEN d.dattablespace ELSE c.reltablespace END,
               CASE WHEN c.reltablespace = 1664 THEN 0::oid ELSE d.oid END,
               pg_catalog.pg_relation_filenode(c.oid), c.relkind::text, c.relpersistence::text, coalesce(p.prosrc, '')::text, c.relname::text
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_database d ON d.datname = current_database()
             LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam LEFT JOIN pg_catalog.pg_proc p ON p.oid = a.amhandler
        WHERE pg_catalog.pg_relation_filenode(c.oid) IS NOT NULL
        """;

    private readonly Dictionary<RelFileLocator, RelationKind> _kinds = [];

    /// <summary>Reads the catalogs of every database that takes connections.</summary>
    public static Task<RelationKinds> ReadAsync(StockPostgres server, CancellationToken cancel) => ReadAsync(server.ConnectionString, cancel);

    /// <summary>Reads the catalogs of every database that takes connections.</summary>
    /// <param name="connectionString">Npgsql's connection string to a database, by its name.</param>
    /// <param name="cancel">Ends it early.</param>
    public static async Task<RelationKinds> ReadAsync(Func<string, string> connectionString, CancellationToken cancel)
    {
        var kinds = new RelationKinds();
        foreach (string database in await DatabasesAsync(connectionString, cancel).ConfigureAwait(false))
        {
            await kinds.ReadDatabaseAsync(connectionString, database, cancel).ConfigureAwait(false);
        }

        return kinds;
    }

    /// <summary>All that the catalogs know, but for temporary relations.</summary>
    public IEnumerable<KeyValuePair<RelFileLocator, RelationKind>> All => _kinds;

    /// <summary>The relation's kind; null for a relation that no catalog read knows (of a database without connections, or leftover).</summary>
    public RelationKind? Find(in RelFileLocator rel) => _kinds.TryGetValue(rel, out var kind) ? kind : null;

    private static async Task<List<string>> DatabasesAsync(Func<string, string> connectionString, CancellationToken cancel)
    {
        var names = new List<string>();
        await using var connection = new NpgsqlConnection(connectionString("postgres"));
        await connection.OpenAsync(cancel).ConfigureAwait(false);
        await using var command = new NpgsqlCommand("SELECT datname::text FROM pg_catalog.pg_database WHERE datallowconn", connection);
        await using var reader = await command.ExecuteReaderAsync(cancel).ConfigureAwait(false);
        while (await reader.ReadAsync(cancel).ConfigureAwait(false))
        {
            names.Add(reader.GetString(0));
        }

        return names;
    }

    private async Task ReadDatabaseAsync(Func<string, string> connectionString, string database, CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(connectionString(database));
        try
        {
            await connection.OpenAsync(cancel).ConfigureAwait(false);
        }
        catch (PostgresException)
        {
            // A database that an interrupted DROP left behind, or whose login trigger refuses: its files are compared all the same.
            return;
        }

        await using var command = new NpgsqlCommand(Query, connection);
        await using var reader = await command.ExecuteReaderAsync(cancel).ConfigureAwait(false);
        while (await reader.ReadAsync(cancel).ConfigureAwait(false))
        {
            if (reader.GetString(4) == "t")
            {
                continue;
            }

            // By the access method's handler: its name is the user's to choose.
            byte rmgr = (reader.GetString(3), reader.GetString(5)) switch
            {
                ("S", _) => RmgrId.Sequence,
                (_, "bthandler") => RmgrId.Btree,
                (_, "hashhandler") => RmgrId.Hash,
                (_, "ginhandler") => RmgrId.Gin,
                (_, "gisthandler") => RmgrId.Gist,
                (_, "spghandler") => RmgrId.SpGist,
                (_, "brinhandler") => RmgrId.Brin,
                (_, "heap_tableam_handler") or ("t", _) => RmgrId.Heap,
                _ => RmgrId.Generic,
            };
            var rel = new RelFileLocator(reader.GetFieldValue<uint>(0), reader.GetFieldValue<uint>(1), reader.GetFieldValue<uint>(2));
            _kinds[rel] = new RelationKind(rmgr, reader.GetString(4) == "p", reader.GetString(6));
        }
    }
}

/// <summary>What one relation is.</summary>
/// <param name="Rmgr">The resource manager whose mask its main fork needs.</param>
/// <param name="Logged">False for unlogged relations: only their init fork is in the log.</param>
/// <param name="Name">Its name, for messages.</param>
public readonly record struct RelationKind(byte Rmgr, bool Logged, string Name);
