using Redoubt.Cli.Bench.Usage;

namespace Redoubt.Cli.Bench;

/// <summary>What one side did and used in the measured part of one or more turns.</summary>
internal sealed record TurnFigures
{
    /// <summary>How long it was measured.</summary>
    public double Seconds { get; init; }

    /// <summary>Transactions in that time.</summary>
    public double Transactions { get; init; }

    /// <summary>What a role used in that time; pgbench among them.</summary>
    public IReadOnlyDictionary<string, RoleUsage> Roles { get; init; } = new Dictionary<string, RoleUsage>();

    /// <summary>All processors in that time.</summary>
    public MachineTime Machine { get; init; }

    /// <summary>Rounds and bytes in that time.</summary>
    public SideCounters Counters { get; init; }

    /// <summary>How often a session of pgbench was seen in each wait.</summary>
    public IReadOnlyDictionary<string, double> Waits { get; init; } = new Dictionary<string, double>();

    /// <summary>System calls a transaction of each role; null when they were not counted.</summary>
    public IReadOnlyDictionary<string, double>? SystemCalls { get; init; }

    public double Tps => Transactions / Seconds;

    /// <summary>Processor time that is nobody's here: the kernel's own threads, this program, other programs.</summary>
    public double OthersCpuSeconds => Math.Max(0, Machine.BusySeconds - Roles.Sum(r => r.Value.CpuSeconds));

    /// <summary>Processor time of some roles for one transaction, in microseconds; null when none of them exists.</summary>
    public double? CpuUs(params ReadOnlySpan<string> roles) => RoleParts.Sum(Roles, r => r.CpuSeconds * 1e6, roles) / Transactions;

    /// <summary>Context switches of some roles for one transaction; null when none of them exists.</summary>
    public double? Switches(params ReadOnlySpan<string> roles) => RoleParts.Sum(Roles, r => r.Switches, roles) / Transactions;

    /// <summary>Rounds to the quorum for one transaction.</summary>
    public double? Rounds => Counters.Rounds / Transactions;

    /// <summary>One turn after another.</summary>
    public static TurnFigures operator +(TurnFigures a, TurnFigures b) => new()
    {
        Seconds = a.Seconds + b.Seconds,
        Transactions = a.Transactions + b.Transactions,
        Roles = Merge(a.Roles, b.Roles, (x, y) => x + y),
        Machine = a.Machine + b.Machine,
        Counters = a.Counters + b.Counters,
        Waits = Merge(a.Waits, b.Waits, (x, y) => x + y),
        SystemCalls = a.SystemCalls ?? b.SystemCalls,
    };

    private static Dictionary<string, T> Merge<T>(IReadOnlyDictionary<string, T> a, IReadOnlyDictionary<string, T> b, Func<T, T, T> add)
    {
        var merged = new Dictionary<string, T>(a);
        foreach (var (key, value) in b)
        {
            merged[key] = merged.TryGetValue(key, out var had) ? add(had, value) : value;
        }

        return merged;
    }
}
