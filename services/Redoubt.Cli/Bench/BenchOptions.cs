namespace Redoubt.Cli.Bench;

/// <summary>What every benchmark takes.</summary>
/// <param name="Postgres">Major version, of both sides.</param>
/// <param name="Copies">Redoubt's; the comparator has as many.</param>
/// <param name="Groups">Redoubt's.</param>
/// <param name="Say">Gets a line for every step.</param>
internal sealed record BenchOptions(int Postgres, int Copies, int Groups, Action<string> Say)
{
    /// <summary>How long each measurement lasts.</summary>
    public int Seconds { get; init; }

    /// <summary>pgbench's.</summary>
    public int Scale { get; init; }

    /// <summary>Numbers of clients, of the commit benchmark.</summary>
    public IReadOnlyList<int> Clients { get; init; } = [];

    /// <summary>MiB: of COPY data (the first), or of log since the last checkpoint.</summary>
    public IReadOnlyList<int> MiB { get; init; } = [];

    /// <summary>Whether the writers come back at once after a crash.</summary>
    public bool UnderLoad { get; init; }

    /// <summary>PostgreSQL's settings, of both sides: no checkpoint falls into a measurement.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; } =
        new Dictionary<string, string> { ["max_connections"] = "200", ["shared_buffers"] = "256MB", ["max_wal_size"] = "16GB", ["checkpoint_timeout"] = "1h" };

    /// <summary>Standbys that a stock primary needs for as many copies.</summary>
    public int Standbys => Copies - 1;

    /// <summary>Of them, as many as must have a commit to make Redoubt's write quorum together with the primary.</summary>
    public int StandbysNeeded => Copies switch { 6 => 3, 3 => 1, _ => 0 };

    /// <summary>What the comparator is.</summary>
    public string Peer => StandbysNeeded > 0 ? $"stock {Postgres}, ANY {StandbysNeeded} of {Standbys}" : $"stock {Postgres}";
}
