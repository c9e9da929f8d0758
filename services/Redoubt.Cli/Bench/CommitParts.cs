using Redoubt.Cli.Bench.Usage;

namespace Redoubt.Cli.Bench;

/// <summary>What a transaction costs, of both sides.</summary>
internal static class CommitParts
{
    /// <summary>Adds the parts of one row.</summary>
    public static void Add(BenchReport report, string of, TurnFigures ours, TurnFigures theirs)
    {
        RoleParts.Add(report, of, "processor", "us/transaction", ours.CpuUs, theirs.CpuUs);
        report.AddPart(of, "processor: rest of the machine", "us/transaction", ours.OthersCpuSeconds / ours.Transactions * 1e6, theirs.OthersCpuSeconds / theirs.Transactions * 1e6);
        report.AddPart(of, "processors busy", "%", ours.Machine.BusyShare * 100, theirs.Machine.BusyShare * 100);
        report.AddPart(of, "rounds to the quorum | flushes of the primary's log", "per transaction", ours.Rounds, theirs.Rounds);
        report.AddPart(of, "log sent to all copies", "B/transaction", ours.Counters.BytesSent / ours.Transactions, theirs.Counters.BytesSent / theirs.Transactions);
        RoleParts.Add(report, of, "context switches", "per transaction", ours.Switches, theirs.Switches);
        if (ours.SystemCalls is null && theirs.SystemCalls is null)
        {
            return;
        }

        RoleParts.Add(report, of, "system calls", "per transaction", roles => Calls(ours, roles), roles => Calls(theirs, roles));
        report.AddPart(
            of, "system calls of agent + storage | walsenders + standbys", "per round", Calls(ours, Roles.Agent, Roles.Storage) / ours.Rounds,
            Calls(theirs, Roles.WalSenders, Roles.WalReceivers, Roles.StandbyStartups, Roles.StandbyRest) / theirs.Rounds);
    }

    private static double? Calls(TurnFigures figures, params ReadOnlySpan<string> roles) => RoleParts.Sum(figures.SystemCalls, calls => calls, roles);
}
