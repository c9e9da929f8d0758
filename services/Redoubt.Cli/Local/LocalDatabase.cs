using Npgsql;

namespace Redoubt.Cli.Local;

/// <summary>Connections to a local cluster's PostgreSQL.</summary>
public static class LocalDatabase
{
    /// <summary>Npgsql's connection string to the primary, as superuser, without a pool.</summary>
    public static string ConnectionString(ClusterStatus status, string database = "postgres")
    {
        var uri = new Uri(status.Endpoints?.Primary ?? throw new CliException("The cluster has no primary now."));
        return new NpgsqlConnectionStringBuilder
        {
            Host = uri.Host, Port = uri.Port, Username = "postgres", Database = database, Pooling = false, Timeout = 15, CommandTimeout = 0,
        }.ConnectionString;
    }
}
