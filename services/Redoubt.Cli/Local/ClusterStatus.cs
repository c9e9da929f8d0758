namespace Redoubt.Cli.Local;

/// <summary>What <c>status -o json</c> prints.</summary>
public sealed record ClusterStatus
{
    /// <summary>Name of the cluster.</summary>
    public required string Name { get; init; }

    /// <summary><c>Stopped</c>, <c>Starting</c>, <c>Ready</c>, <c>Degraded</c> (serves, but a copy is missing or behind), <c>Unavailable</c>, <c>Failed</c>.</summary>
    public required string Phase { get; init; }

    /// <summary>Why it is not Ready, for people.</summary>
    public string? Message { get; init; }

    /// <summary>The writer's epoch.</summary>
    public ulong Epoch { get; init; }

    /// <summary>Volume durable LSN.</summary>
    public string? Vdl { get; init; }

    /// <summary>Process id of the supervisor; null when it does not run.</summary>
    public int? SupervisorPid { get; init; }

    /// <summary>Major version of PostgreSQL.</summary>
    public int Postgres { get; init; }

    /// <summary>Copies of everything.</summary>
    public int Copies { get; init; }

    /// <summary>Copies a record needs.</summary>
    public int WriteQuorum { get; init; }

    /// <summary>Copies a recovery needs.</summary>
    public int ReadQuorum { get; init; }

    /// <summary>Protection groups.</summary>
    public int Groups { get; init; }

    /// <summary>Connection URIs.</summary>
    public Addresses? Endpoints { get; init; }

    /// <summary>Every process.</summary>
    public IReadOnlyList<Member> Processes { get; init; } = [];

    /// <summary>Bytes between compute and storage since compute started.</summary>
    public Traffic? Network { get; init; }

    /// <summary>Where clients connect.</summary>
    public sealed record Addresses(string? Primary, IReadOnlyList<string> Replicas);

    /// <summary>Bytes of log sent to all copies, bytes of pages received.</summary>
    public sealed record Traffic(long LogBytesSent, long PageBytesReceived);

    /// <summary>One copy of one protection group.</summary>
    public sealed record Segment(uint Group, string Scl, string AppliedLsn, string State, string? Message);

    /// <summary>A PostgreSQL parameter that is not in force as it was set, and why, in PostgreSQL's own words.</summary>
    public sealed record RejectedParameter(string Name, string Value, string Reason)
    {
        /// <inheritdoc/>
        public override string ToString() => Name.Length == 0 ? Reason : $"{Name} = {Value}: {Reason}";
    }

    /// <summary>One process.</summary>
    public sealed record Member
    {
        /// <summary>Such as <c>storage-0</c>.</summary>
        public required string Name { get; init; }

        /// <summary><c>primary</c>, <c>replica</c>, <c>storage</c>.</summary>
        public required string Role { get; init; }

        /// <summary>Zone of storage.</summary>
        public string? Zone { get; init; }

        /// <summary>Process id.</summary>
        public int? Pid { get; init; }

        /// <summary>Process id of the postmaster, of compute.</summary>
        public int? PostgresPid { get; init; }

        /// <summary><c>ready</c>, or what it does instead.</summary>
        public required string State { get; init; }

        /// <summary>Why, for people.</summary>
        public string? Message { get; init; }

        /// <summary>Starts after the first.</summary>
        public int Restarts { get; init; }

        /// <summary>Its folder.</summary>
        public required string DataDir { get; init; }

        /// <summary>Its metrics.</summary>
        public string? Metrics { get; init; }

        /// <summary>gRPC address of storage.</summary>
        public string? Endpoint { get; init; }

        /// <summary>What storage holds.</summary>
        public IReadOnlyList<Segment>? Segments { get; init; }

        /// <summary>Parameters that compute did not take.</summary>
        public IReadOnlyList<RejectedParameter>? ParametersRejected { get; init; }

        /// <summary>SHA-256 of the parameters file that compute has judged, in hexadecimal digits.</summary>
        public string? ParametersHash { get; init; }

        /// <summary>What the last start took, of compute: milliseconds by stage.</summary>
        public IReadOnlyDictionary<string, double>? StartedMs { get; init; }
    }
}
