using Npgsql;

namespace Redoubt.Compute.Postgres;

/// <summary>
/// The agent's own connections: as superuser, over the socket that only it can reach, and shielded from everything that was set for roles and databases.
/// Whether a superuser is still called postgres, and a database too, is found out by trying; the names come from <see cref="CatalogNames"/>.
/// </summary>
/// <param name="files">Where the socket is.</param>
/// <param name="port">In its name.</param>
/// <param name="names">Names of superusers and databases.</param>
public sealed class AgentLogin(ServerFiles files, int port, CatalogNames names)
{
    private static readonly string[] NoSuchRole = ["28000", "42501"];
    private static readonly string[] NoSuchDatabase = ["3D000", "55000"];
    private string _role = "postgres";
    private string _database = "postgres";

    /// <summary>The superuser that logged in last.</summary>
    public string Role => _role;

    /// <summary>Logs in.</summary>
    /// <exception cref="LockedOutException">Nobody is let in.</exception>
    /// <exception cref="NpgsqlException">It fails for another reason, such as too many clients; later it may not.</exception>
    public async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<string> roles = [_role], databases = [_database];
        bool knowsRoles = false, knowsDatabases = false;
        string refusal = "";
        for (int r = 0, d = 0; r < roles.Count && d < databases.Count;)
        {
            var connection = new NpgsqlConnection(ConnectionString(roles[r], databases[d]));
            try
            {
                await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
                (_role, _database) = (roles[r], databases[d]);
                return connection;
            }
            catch (Npgsql.PostgresException e) when (NoSuchRole.Contains(e.SqlState))
            {
                await connection.DisposeAsync().ConfigureAwait(false);
                refusal = e.MessageText;
                if (!knowsRoles)
                {
                    (roles, knowsRoles, r) = (await Task.Run(names.Superusers, cancellationToken).ConfigureAwait(false), true, -1);
                }

                r++;
            }
            catch (Npgsql.PostgresException e) when (NoSuchDatabase.Contains(e.SqlState))
            {
                await connection.DisposeAsync().ConfigureAwait(false);
                refusal = e.MessageText;
                if (!knowsDatabases)
                {
                    (databases, knowsDatabases, d) = (await Task.Run(names.Databases, cancellationToken).ConfigureAwait(false), true, -1);
                }

                d++;
            }
            catch
            {
                await connection.DisposeAsync().ConfigureAwait(false);
                throw;
            }
        }

        throw new LockedOutException($"no superuser can log in to any database: {refusal}");
    }

    // Npgsql need not read the catalogue of types, which would fetch half of it from storage at every start.
    private string ConnectionString(string role, string database) => new NpgsqlConnectionStringBuilder
    {
        Host = files.SocketFolder, Port = port, Username = role, Database = database, Pooling = false, Timeout = 300, CommandTimeout = 0,
        ApplicationName = "redoubt agent", Options = SessionSettings.ForConnection(role), ["Server Compatibility Mode"] = "NoTypeLoading",
    }.ConnectionString;
}
