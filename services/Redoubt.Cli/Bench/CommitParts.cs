using Redoubt.Cli.Bench.Usage;

namespace Redoubt.Cli.Bench;

/// <summary>What a transaction costs, by role, of both sides: roles that do the same stand beside each other.</summary>
internal static class CommitParts
{
    private static readonly (string Name, string[] Ours, string[] Theirs)[] Pairs =
    [
        ("backends", [Roles.Backends], [Roles.Backends]),
        ("other PostgreSQL processes", [Roles.OtherPostgres], [Roles.OtherPostgres]),
        ("agent | walsenders", [Roles.Agent], [Roles.WalSenders]),
        ("storage | standbys", [Roles.Storage], [Roles.WalReceivers, Roles.StandbyStartups, Roles.StandbyRest]),
        ("  standbys: walreceivers", [], [Roles.WalReceivers]),
        ("  standbys: startup (redo)", [], [Roles.StandbyStartups]),
        ("  standbys: rest", [], [Roles.StandbyRest]),
        ("all of that together", [Roles.Backends, Roles.OtherPostgres, Roles.WalSenders, Roles.Agent, Roles.Storage], [Roles.Backends, Roles.OtherPostgres, Roles.WalSenders, Roles.WalReceivers, Roles.StandbyStartups, Roles.StandbyRest]),
        ("pgbench", [Roles.PgBench], [Roles.PgBench]),
    ];

    /// <summary>Adds the parts of one row.</summary>
    public static void Add(BenchReport report, string of, TurnFigures ours, TurnFigures theirs)
    {
        AddRoles(report, of, "processor", "us/transaction", ours.CpuUs, theirs.CpuUs);
        report.AddPart(of, "processor: rest of the machine", "us/transaction", ours.OthersCpuSeconds / ours.Transactions * 1e6, theirs.OthersCpuSeconds / theirs.Transactions * 1e6);
        report.AddPart(of, "processors busy", "%", ours.Machine.BusyShare * 100, theirs.Machine.BusyShare * 100);
        report.AddPart(of, "rounds to the quorum | flushes of the primary's log", "per transaction", ours.Rounds, theirs.Rounds);
        report.AddPart(of, "log sent to all copies", "B/transaction", ours.Counters.BytesSent / ours.Transactions, theirs.Counters.BytesSent / theirs.Transactions);
        AddRoles(report, of, "context switches", "per transaction", ours.Switches, theirs.Switches);
        if (ours.SystemCalls is null && theirs.SystemCalls is null)
        {
            return;
        }

        AddRoles(report, of, "system calls", "per transaction", roles => Calls(ours, roles), roles => Calls(theirs, roles));
        report.AddPart(
            of, "system calls of agent + storage | walsenders + standbys", "per round", Calls(ours, Roles.Agent, Roles.Storage) / ours.Rounds,
            Calls(theirs, Roles.WalSenders, Roles.WalReceivers, Roles.StandbyStartups, Roles.StandbyRest) / theirs.Rounds);
    }

    private delegate double? Figure(params ReadOnlySpan<string> roles);

    private static void AddRoles(BenchReport report, string of, string what, string unit, Figure ours, Figure theirs)
    {
        foreach (var (name, mine, peers) in Pairs)
        {
            if (mine.Length > 0 || theirs(peers) is not null)
            {
                report.AddPart(of, $"{what}: {name}", unit, mine.Length > 0 ? ours(mine) : null, theirs(peers));
            }
        }
    }

    private static double? Calls(TurnFigures figures, params ReadOnlySpan<string> roles)
    {
        double? sum = null;
        foreach (string role in roles)
        {
            if (figures.SystemCalls?.TryGetValue(role, out double calls) == true)
            {
                sum = (sum ?? 0) + calls;
            }
        }

        return sum;
    }
}
