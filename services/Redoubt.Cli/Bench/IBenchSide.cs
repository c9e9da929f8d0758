using Redoubt.Cli.Bench.Usage;
using Redoubt.Cli.Local;

namespace Redoubt.Cli.Bench;

/// <summary>Redoubt or its comparator, as a benchmark sees them.</summary>
internal interface IBenchSide
{
    /// <summary>Npgsql's, to the primary, over TCP.</summary>
    string ConnectionString { get; }

    /// <summary>All its processes, as they are now.</summary>
    Task<IReadOnlyList<ProcessRoot>> ProcessesAsync();

    /// <summary>Its counters now.</summary>
    Task<SideCounters> CountersAsync(CancellationToken cancellation);

    /// <summary>Stops all its processes until the result is disposed.</summary>
    async Task<PausedProcesses> PauseAsync() => new((await ProcessesAsync()).Select(p => p.Pid));
}
