using Redoubt.Operator.Api;

namespace Redoubt.Operator.Planning;

/// <summary>What the planner wants.</summary>
/// <param name="Steps">In order.</param>
/// <param name="Status">The status to show; null when the cluster is about to vanish.</param>
/// <param name="Events">To record once the steps are done.</param>
/// <param name="CheckAgainAfter">When to plan again though nothing has changed; null: only on a change.</param>
public sealed record ClusterPlan(
    IReadOnlyList<PlanStep> Steps, DatabaseClusterStatus? Status, IReadOnlyList<PlannedEvent> Events, TimeSpan? CheckAgainAfter);
