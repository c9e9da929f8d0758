namespace Redoubt.Operator.Api;

/// <summary>Types of the conditions in the status of a cluster.</summary>
public static class ConditionTypes
{
    /// <summary>PostgreSQL accepts connections and commits.</summary>
    public const string Ready = "Ready";

    /// <summary>Every segment of every group is complete.</summary>
    public const string StorageHealthy = "StorageHealthy";

    /// <summary>Every group has at least a write quorum of segments that take log.</summary>
    public const string WriteQuorum = "WriteQuorum";

    /// <summary>The operator is bringing the cluster to what its spec asks for.</summary>
    public const string Progressing = "Progressing";

    /// <summary>Something is wrong that needs a look, or that heals but weakens the cluster meanwhile.</summary>
    public const string Degraded = "Degraded";

    /// <summary>Every parameter of the spec is one that PostgreSQL takes.</summary>
    public const string ParametersValid = "ParametersValid";

    public static readonly IReadOnlyList<string> All = [Ready, StorageHealthy, WriteQuorum, ParametersValid, Progressing, Degraded];
}
