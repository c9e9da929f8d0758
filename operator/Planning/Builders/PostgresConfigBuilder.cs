using System.Globalization;
using System.Text;
using k8s.Models;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Planning.Builders;

/// <summary>The ConfigMap with PostgreSQL's parameters and client authentication.</summary>
public static class PostgresConfigBuilder
{
    public const string ParametersKey = "parameters.conf";
    public const string HbaKey = "pg_hba.conf";

    // The unix socket is inside the pod, where only the agent is; everybody else shows a password.
    private const string Hba = """
        local all         all               trust
        local replication all               trust
        host  all         all  0.0.0.0/0    scram-sha-256
        host  all         all  ::/0         scram-sha-256

        """;

    public static V1ConfigMap Build(DatabaseCluster cluster) => new()
    {
        Metadata = Owners.Owned(cluster, Names.PostgresConfig(cluster.Metadata.Name), Names.Compute),
        Data = new Dictionary<string, string> { [ParametersKey] = Parameters(cluster.Spec), [HbaKey] = Hba },
    };

    /// <summary>A hash of what the compute pod reads from it.</summary>
    public static string HashOf(V1ConfigMap config) => PodParts.Hash(config.Data[ParametersKey] + '\0' + config.Data[HbaKey]);

    private static string Parameters(DatabaseClusterSpec spec)
    {
        var parameters = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["password_encryption"] = "scram-sha-256" };
        if (spec.Compute.Resources?.Limits is { } limits && limits.TryGetValue("memory", out var memory))
        {
            var mebibytes = (long)(memory.ToDecimal() / (1024 * 1024));
            parameters["shared_buffers"] = Math.Max(16, mebibytes / 4).ToString(CultureInfo.InvariantCulture) + "MB";
            parameters["effective_cache_size"] = Math.Max(16, mebibytes * 3 / 4).ToString(CultureInfo.InvariantCulture) + "MB";
        }

        foreach (var (name, value) in ParameterText.Of(spec.Postgres).Good)
        {
            parameters[name] = value;
        }

        var text = new StringBuilder();
        foreach (var (name, value) in parameters)
        {
            // Quoting as in postgresql.conf: a quote is doubled, a backslash begins an escape.
            text.Append(name).Append(" = '").Append(value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal)).Append("'\n");
        }

        return text.ToString();
    }
}
