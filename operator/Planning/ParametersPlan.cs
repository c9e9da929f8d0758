using System.Security.Cryptography;
using System.Text;
using k8s.Models;
using Redoubt.Operator.Planning.Builders;

namespace Redoubt.Operator.Planning;

/// <summary>
/// What becomes of the parameters. PostgreSQL judges them while the running server keeps the last good set; no compute pod is replaced for a set
/// that it refuses, nor twice for the same.
/// </summary>
internal static class ParametersPlan
{
    public static void Plan(PlanDraft draft)
    {
        var config = PostgresConfigBuilder.Build(draft.Cluster);
        draft.ConfigHash = PostgresConfigBuilder.HashOf(config);
        draft.ParametersFileHash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(config.Data[PostgresConfigBuilder.ParametersKey])));
        draft.Apply(config);
    }

    /// <summary>The parameters that wait for a restart which will bring them into force; null when there are none.</summary>
    public static IReadOnlyList<string>? NeedsRestart(PlanDraft draft, V1Pod pod, ComputeReport report) =>
        report.PendingRestart is { Count: > 0 } pending && report.ParametersRejected is not { Count: > 0 } && IsAboutThese(draft, report)
        && pod.Metadata.Annotation(Names.StartConfigAnnotation) != draft.ConfigHash
            ? pending : null;

    /// <summary>Parameters that are not in force for good, ours and PostgreSQL's; null when nobody has judged them yet.</summary>
    public static IReadOnlyList<RejectedParameter>? Rejected(PlanDraft draft, PodReport? report)
    {
        var own = ParameterText.Of(draft.Spec.Postgres).Rejected;
        if (report is { IsReachable: true, Compute: { } compute } && IsAboutThese(draft, compute) && (compute.ParametersRejected is not null || compute.State == "ready"))
        {
            return [.. own, .. compute.ParametersRejected ?? []];
        }

        return own.Count > 0 ? own : null;
    }

    /// <summary>Whether the agent has judged the very file that is wanted; an agent that does not tell which is believed.</summary>
    private static bool IsAboutThese(PlanDraft draft, ComputeReport report) =>
        string.IsNullOrEmpty(report.ParametersHash) || string.Equals(report.ParametersHash, draft.ParametersFileHash, StringComparison.OrdinalIgnoreCase);
}
