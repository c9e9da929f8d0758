using Microsoft.Extensions.Configuration;

namespace Redoubt.Operator;

/// <summary>How the operator itself is configured, from environment variables.</summary>
public sealed record OperatorOptions
{
    /// <summary><c>REDOUBT_STORAGE_IMAGE</c>: image of storage pods where a cluster names none.</summary>
    public required string StorageImage { get; init; }

    /// <summary><c>REDOUBT_COMPUTE_IMAGE_PG17</c> and <c>…_PG18</c>: images of compute pods where a cluster names none.</summary>
    public required IReadOnlyDictionary<int, string> ComputeImages { get; init; }

    /// <summary><c>POD_NAMESPACE</c>: namespace of the operator, which holds its Lease and may reach the pods' status.</summary>
    public string Namespace { get; init; } = "redoubt-system";

    /// <summary><c>REDOUBT_WATCH_NAMESPACE</c>: the only namespace whose clusters are looked after; all when null.</summary>
    public string? WatchNamespace { get; init; }

    /// <summary><c>REDOUBT_EXCLUDE_NAMESPACES</c>: namespaces, separated by commas, whose clusters are left alone.</summary>
    public IReadOnlySet<string> ExcludeNamespaces { get; init; } = new HashSet<string>();

    /// <summary><c>REDOUBT_LEASE_NAME</c>: name of the Lease that the replicas of this operator share, and with the namespace the name of the operator.</summary>
    public string LeaseName { get; init; } = "redoubt-operator";

    /// <summary>Namespace and name of this operator, the same for all its replicas.</summary>
    public string Name => $"{Namespace}/{LeaseName}";

    /// <summary><c>REDOUBT_RUN_AS_USER</c>: user and group id of the clusters' pods; null (<c>none</c>) leaves the choice to the Kubernetes cluster.</summary>
    public long? RunAsUser { get; init; } = 10001;

    /// <summary><c>POD_NAME</c>: who this process is in the leader election.</summary>
    public string Identity { get; init; } = Environment.MachineName;

    /// <summary><c>REDOUBT_LEADER_ELECTION</c>: whether to lead only while holding the Lease.</summary>
    public bool LeaderElection { get; init; } = true;

    /// <summary><c>REDOUBT_HTTP_LISTEN</c>: <c>host:port</c> of <c>/healthz</c>, <c>/readyz</c> and <c>/metrics</c>.</summary>
    public string HttpListen { get; init; } = "0.0.0.0:8080";

    /// <summary>Reads and checks the environment.</summary>
    /// <exception cref="InvalidOperationException">A value is missing or wrong; the message says which and what to write.</exception>
    public static OperatorOptions From(IConfiguration configuration)
    {
        var leaderElection = configuration["REDOUBT_LEADER_ELECTION"] ?? "true";
        if (!bool.TryParse(leaderElection, out var elect))
        {
            throw new InvalidOperationException($"REDOUBT_LEADER_ELECTION is '{leaderElection}'; write true or false.");
        }

        var user = Optional("REDOUBT_RUN_AS_USER") ?? "10001";
        if (user != "none" && !(long.TryParse(user, out var id) && id > 0))
        {
            throw new InvalidOperationException($"REDOUBT_RUN_AS_USER is '{user}'; write the number of a user other than root, or none.");
        }

        return new OperatorOptions
        {
            StorageImage = Required("REDOUBT_STORAGE_IMAGE", "redoubt:0.1.0"),
            ComputeImages = new Dictionary<int, string>
            {
                [17] = Required("REDOUBT_COMPUTE_IMAGE_PG17", "redoubt-compute:0.1.0-pg17"),
                [18] = Required("REDOUBT_COMPUTE_IMAGE_PG18", "redoubt-compute:0.1.0-pg18"),
            },
            Namespace = Optional("POD_NAMESPACE") ?? "redoubt-system",
            WatchNamespace = Optional("REDOUBT_WATCH_NAMESPACE"),
            ExcludeNamespaces = (Optional("REDOUBT_EXCLUDE_NAMESPACES") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).ToHashSet(),
            LeaseName = Optional("REDOUBT_LEASE_NAME") ?? "redoubt-operator",
            RunAsUser = user == "none" ? null : long.Parse(user, System.Globalization.CultureInfo.InvariantCulture),
            Identity = Optional("POD_NAME") ?? $"{Environment.MachineName}-{Environment.ProcessId}",
            LeaderElection = elect,
            HttpListen = Optional("REDOUBT_HTTP_LISTEN") ?? "0.0.0.0:8080",
        };

        string? Optional(string name) => string.IsNullOrWhiteSpace(configuration[name]) ? null : configuration[name];
        string Required(string name, string example) =>
            Optional(name) ?? throw new InvalidOperationException($"{name} is not set; write an image, for example {example}.");
    }
}
