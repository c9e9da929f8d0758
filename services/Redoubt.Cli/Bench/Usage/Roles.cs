using System.Text.RegularExpressions;

namespace Redoubt.Cli.Bench.Usage;

/// <summary>What a process does for a transaction.</summary>
internal static partial class Roles
{
    public const string Backends = "backends";
    public const string OtherPostgres = "other PostgreSQL processes";
    public const string Agent = "agent";
    public const string Storage = "storage";
    public const string WalSenders = "walsenders";
    public const string WalReceivers = "walreceivers";
    public const string StandbyStartups = "startup processes";
    public const string StandbyRest = "rest of the standbys";
    public const string PgBench = "pgbench";

    /// <summary>Of the tree below the agent: itself, and the PostgreSQL that it runs.</summary>
    public static string OfCompute(string commandLine) => Title().Match(commandLine) is { Success: true } title ? OfPrimary(title)
        : commandLine.Contains("/postgres\0", StringComparison.Ordinal) ? OtherPostgres : Agent;

    /// <summary>Of a stock primary's tree.</summary>
    public static string OfStockPrimary(string commandLine) => Title().Match(commandLine) is { Success: true } title ? OfPrimary(title) : OtherPostgres;

    /// <summary>Of a stock standby's tree.</summary>
    public static string OfStandby(string commandLine) => Title().Match(commandLine) is not { Success: true } title ? StandbyRest
        : title.Groups["receiver"].Success ? WalReceivers
        : title.Groups["startup"].Success ? StandbyStartups : StandbyRest;

    private static string OfPrimary(Match title) =>
        title.Groups["backend"].Success ? Backends : title.Groups["sender"].Success ? WalSenders : OtherPostgres;

    // "postgres: walsender u 127.0.0.1(4000) streaming 0/3", "postgres: u d 127.0.0.1(4000) idle", "postgres: cluster: checkpointer ".
    [GeneratedRegex(@"^postgres: (?:\S+: )?(?:(?<sender>walsender\b)|(?<receiver>walreceiver\b)|(?<startup>startup\b)|(?<backend>parallel worker for|\S+ \S+ (?:\[local\]|\S+\(\d+\))))?")]
    private static partial Regex Title();
}
