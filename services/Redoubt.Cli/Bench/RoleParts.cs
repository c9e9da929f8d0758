using Redoubt.Cli.Bench.Usage;

namespace Redoubt.Cli.Bench;

/// <summary>A figure by role, of both sides: roles that do the same stand beside each other.</summary>
internal static class RoleParts
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

    /// <summary>A figure of some roles together; null when none of them exists.</summary>
    internal delegate double? Figure(params ReadOnlySpan<string> roles);

    /// <summary>Adds a part for each pair of roles.</summary>
    public static void Add(BenchReport report, string of, string what, string unit, Figure ours, Figure theirs)
    {
        foreach (var (name, mine, peers) in Pairs)
        {
            if (((mine.Length > 0 ? ours(mine) : null), theirs(peers)) is var (our, their) && (our ?? their) is not null)
            {
                report.AddPart(of, $"{what}: {name}", unit, our, their);
            }
        }
    }

    /// <summary>The sum of a figure over some roles; null when none of them is there.</summary>
    public static double? Sum<T>(IReadOnlyDictionary<string, T>? of, Func<T, double> figure, params ReadOnlySpan<string> roles)
    {
        double? sum = null;
        foreach (string role in roles)
        {
            if (of is not null && of.TryGetValue(role, out var value))
            {
                sum = (sum ?? 0) + figure(value);
            }
        }

        return sum;
    }
}
