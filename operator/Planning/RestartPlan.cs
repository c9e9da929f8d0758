namespace Redoubt.Operator.Planning;

/// <summary>PostgreSQL may end and start again inside its pod within a second; what it said before must not be lost with that second.</summary>
internal static class RestartPlan
{
    /// <returns>What was told last, for the status.</returns>
    public static string? Tell(PlanDraft draft, ComputeReport? report)
    {
        var told = draft.OldStatus.LastRestart;
        if (draft.Primary is null || draft.OldStatus.Primary != draft.Primary || report is null)
        {
            return draft.OldStatus.Primary == draft.Primary ? told : null;
        }

        var reopened = report.State == "ready" && draft.OldStatus.Epoch is { } before && report.Epoch > before
            && draft.OldStatus.Conditions?.Any(c => c is { Type: Api.ConditionTypes.Ready, Status: "True" }) == true;
        var words = report.LastWords is { Length: > 0 } said ? said : null;
        var now = words is not null ? words : reopened ? "PostgreSQL gave no reason" : told;
        if (reopened || (words is not null && words != told))
        {
            draft.Event("PostgresRestarted", $"PostgreSQL ended inside its pod and was started again: {now}", warning: true);
        }

        return now;
    }
}
