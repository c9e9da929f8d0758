namespace Redoubt.Compute.Postgres;

/// <summary>Gives the bootstrap superuser its login back in single-user mode, when PostgreSQL lets no superuser in. No server may run.</summary>
/// <param name="singleUser">Does it.</param>
/// <param name="data">The data directory, cleanly shut down.</param>
/// <param name="environment">The shim's.</param>
/// <param name="names">Names of databases.</param>
public sealed class LoginRepair(SingleUser singleUser, string data, IReadOnlyDictionary<string, string> environment, CatalogNames names)
{
    /// <summary>By OID, because a name may be anything; and a database that lets people in, when there is none.</summary>
    private static readonly string Commands =
        Sql.Command("UPDATE pg_catalog.pg_authid SET rolcanlogin = true WHERE oid = 10 AND NOT rolcanlogin")
        + Sql.Command(
            "UPDATE pg_catalog.pg_database SET datallowconn = true WHERE oid = (SELECT min(oid) FROM pg_catalog.pg_database WHERE datconnlimit <> -2) "
            + "AND NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datallowconn AND datconnlimit <> -2)");

    /// <exception cref="PostgresException">PostgreSQL does not do it.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var databases = await Task.Run(names.Databases, cancellationToken).ConfigureAwait(false);
        await singleUser.RunAsync(data, databases, Commands, environment, cancellationToken).ConfigureAwait(false);
    }
}
