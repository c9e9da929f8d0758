using k8s.Models;

namespace Redoubt.Operator.Planning;

/// <summary>
/// When a compute that does not answer is given up. Storage must answer, so that it is not we who are cut off. One that has just replaced a silent
/// one gets twice as long; one whose kubelet finds it well, or whose node answers slowly as a whole, gets longer too: a starved node is not
/// helped by another start.
/// </summary>
internal static class SilencePlan
{
    public const string Reason = "ComputeUnreachable";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LimitWhenReady = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LimitOnStarvedNode = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    /// <summary>A pod that answered for this long has shown that starting it helped.</summary>
    private static readonly TimeSpan Memory = TimeSpan.FromMinutes(10);

    public static bool IsOver(PlanDraft draft, V1Pod pod)
    {
        if (draft.Snapshot.Reports.GetValueOrDefault(pod.Metadata.Name) is not { UnreachableSince: { } since, Compute: not null }
            || draft.Copies.Count(c => c.Answers) < draft.Shape.Write)
        {
            return false;
        }

        var limit = Limit;
        if (pod.IsReady())
        {
            limit = LimitWhenReady;
        }

        if (pod.Spec?.NodeName is { } node && draft.Snapshot.SlowStorage.GetValueOrDefault(node) > 0)
        {
            limit = LimitOnStarvedNode;
            draft.Problems.Add(new Problem("NodeStarved", $"The processes on node {node} answer slowly or not at all: give the node more processor time, or request more for its pods"));
        }

        limit *= Math.Pow(2, Math.Min(Count(draft, pod), 10));
        var left = since + (limit < Longest ? limit : Longest) - draft.Snapshot.Now;
        if (left <= TimeSpan.Zero)
        {
            return true;
        }

        draft.CheckAgain(left);
        return false;
    }

    /// <summary>How many silent pods in a row this one comes after.</summary>
    public static int Count(PlanDraft draft, V1Pod pod)
    {
        var since = draft.Snapshot.Reports.GetValueOrDefault(pod.Metadata.Name)?.UnreachableSince ?? draft.Snapshot.Now;
        return since - (pod.Metadata.CreationTimestamp ?? since) < Memory && int.TryParse(pod.Metadata.Annotation(Names.SilenceAnnotation), out var n) ? n : 0;
    }
}
