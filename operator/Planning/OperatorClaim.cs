using System.Globalization;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Planning;

/// <summary>
/// Which operator looks after a cluster, so that two that watch the same namespace do not both. The first to come writes its name on the cluster
/// and says every few minutes that it is still there; another takes over when it has been silent for long.
/// </summary>
/// <param name="Operator">Namespace and name of the operator.</param>
/// <param name="Said">UTC, when it last said so.</param>
public sealed record OperatorClaim(string Operator, DateTime Said)
{
    public static readonly TimeSpan Renewal = TimeSpan.FromMinutes(5);
    public static readonly TimeSpan Life = TimeSpan.FromMinutes(15);

    /// <summary>Stands for no operator: the one that was there is being uninstalled and must not come back to the cluster while it ends.</summary>
    public const string Uninstalled = "uninstalled";

    /// <summary>The claim on a cluster; null when there is none that can be read.</summary>
    public static OperatorClaim? On(DatabaseCluster cluster)
    {
        var parts = cluster.Metadata.Annotation(Names.OperatorAnnotation)?.Split(' ', 2);
        return parts is [var name, var said] && DateTime.TryParse(said, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal, out var time)
            ? new OperatorClaim(name, time) : null;
    }

    /// <summary>The operator that looks after a cluster instead of this one; null when none does.</summary>
    public static OperatorClaim? OfAnother(DatabaseCluster cluster, string me, DateTime now) =>
        On(cluster) is { } claim && claim.Operator != me && now - claim.Said < Life ? claim : null;

    /// <summary>Whether this operator has to write its name anew.</summary>
    public static bool IsDue(DatabaseCluster cluster, string me, DateTime now) =>
        On(cluster) is not { } claim || claim.Operator != me || now - claim.Said >= Renewal;

    public override string ToString() => $"{Operator} {Said:yyyy-MM-ddTHH:mm:ssZ}";
}
