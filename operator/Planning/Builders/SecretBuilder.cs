using System.Text;
using k8s.Models;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Planning.Builders;

/// <summary>
/// The Secrets of a cluster. Passwords are made once and kept: a Secret that exists gives its own password back.
/// With the deletion policy <c>Retain</c> they have no owner, as the volumes have none: a role inside the volume keeps its
/// password, and a cluster that takes the volumes up again must know it.
/// </summary>
public static class SecretBuilder
{
    /// <param name="cluster">The cluster.</param>
    /// <param name="password">Password of the role.</param>
    /// <param name="before">A Secret whose connection strings stay as they are, because the password is not in force yet; null: they follow the password.</param>
    public static V1Secret Superuser(DatabaseCluster cluster, string password, V1Secret? before = null) =>
        Credentials(cluster, Names.SuperuserSecret(cluster.Metadata.Name), "postgres", password, "postgres", before);

    /// <inheritdoc cref="Superuser"/>
    public static V1Secret App(DatabaseCluster cluster, string password, V1Secret? before = null) =>
        Credentials(cluster, Names.AppSecret(cluster.Metadata.Name), cluster.Spec.Database.Owner, password, cluster.Spec.Database.Name, before);

    /// <summary>The shared secret by which the processes of the cluster know each other.</summary>
    public static V1Secret Auth(DatabaseCluster cluster, string secret) => new()
    {
        Metadata = Metadata(cluster, Names.AuthSecret(cluster.Metadata.Name)),
        Type = "Opaque",
        Data = new Dictionary<string, byte[]> { ["secret"] = Encoding.UTF8.GetBytes(secret) },
    };

    private static V1Secret Credentials(DatabaseCluster cluster, string name, string user, string password, string database, V1Secret? before)
    {
        // The agent takes a file's last line end for none of the password, and a verifier for what it is: nobody can connect with it.
        var shown = password.StartsWith("SCRAM-SHA-256$", StringComparison.Ordinal) ? null : Escaped(password.TrimEnd('\r', '\n'));
        var host = $"{Names.ReadWriteService(cluster.Metadata.Name)}.{cluster.Metadata.NamespaceProperty}.svc";
        var values = new Dictionary<string, string>
        {
            ["username"] = user,
            ["password"] = password,
            ["host"] = host,
            ["port"] = Ports.Postgres.ToString(),
            ["dbname"] = database,
            ["uri"] = $"postgresql://{Escaped(user)}{(shown is null ? "" : ":" + shown)}@{host}:{Ports.Postgres}/{Escaped(database)}",
            ["jdbc-uri"] = $"jdbc:postgresql://{host}:{Ports.Postgres}/{Escaped(database)}?user={Escaped(user)}{(shown is null ? "" : "&password=" + shown)}",
        };
        foreach (var key in (string[])["uri", "jdbc-uri"])
        {
            if (before?.Data is { } old && old.TryGetValue(key, out var value))
            {
                values[key] = Encoding.UTF8.GetString(value);
            }
        }

        return new V1Secret
        {
            Metadata = Metadata(cluster, name),
            Type = "kubernetes.io/basic-auth",
            Data = values.ToDictionary(v => v.Key, v => Encoding.UTF8.GetBytes(v.Value)),
        };
    }

    /// <summary>Percent-encoded (RFC 3986), as libpq and the JDBC driver decode it.</summary>
    private static string Escaped(string text) => Uri.EscapeDataString(text);

    private static V1ObjectMeta Metadata(DatabaseCluster cluster, string name) =>
        cluster.Spec.DeletionPolicy == "Delete" ? Owners.Owned(cluster, name) : Owners.Kept(cluster, name);
}
