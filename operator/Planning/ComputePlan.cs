using k8s.Models;
using Redoubt.Operator.Planning.Builders;

namespace Redoubt.Operator.Planning;

/// <summary>
/// The one compute pod. One that has ended, is going, or sits on a lost node is replaced at once by one of the next
/// generation: the epoch of the new writer fences the old, so nothing has to be waited for.
/// </summary>
internal static class ComputePlan
{
    /// <summary>How long a process may be silent before it is replaced, given that storage answers (so that it is not we who are cut off).</summary>
    public static readonly TimeSpan SilenceLimit = TimeSpan.FromSeconds(10);

    /// <summary>A pod that ended sooner than this after its start counts as a failed attempt, and the next waits a little.</summary>
    private static readonly TimeSpan ShortLife = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    public static void Plan(PlanDraft draft)
    {
        var config = PostgresConfigBuilder.Build(draft.Cluster);
        var configHash = PostgresConfigBuilder.HashOf(config);
        draft.ComputeGeneration = Math.Max(
            draft.OldStatus.ComputeGeneration ?? 0,
            draft.ComputePods.Select(p => Names.ComputeGeneration(draft.Name, p.Metadata.Name)).DefaultIfEmpty(0).Max());
        var image = draft.StorageIsCurrent ? draft.ComputeImage : draft.OldStatus.ComputeImage ?? draft.ComputeImage;
        draft.ChosenComputeImage = draft.OldStatus.ComputeImage;

        var living = draft.ComputePods.Where(p => !p.IsTerminating() && !p.IsTerminal()).ToList();
        foreach (var old in living.SkipLast(1))
        {
            draft.DeletePod(old, "a newer compute pod has taken over");
        }

        var current = living.LastOrDefault();
        V1Pod Build(long generation, int attempt) =>
            ComputePodBuilder.Build(draft.Cluster, generation, attempt, draft.VolumeId, image, configHash);

        if (current is not null)
        {
            var generation = Names.ComputeGeneration(draft.Name, current.Metadata.Name);
            if (ReasonToReplace(draft, current, Build(generation, 0)) is { } reason)
            {
                draft.DeletePod(current, reason.Message);
                draft.Event(reason.Reason, $"{current.Metadata.Name} is replaced: {reason.Message}", reason.Warning);
                draft.Activities.Add($"Replacing the compute pod: {reason.Message}");
                Start(draft, Build, image, attempt: 0, $"it replaces {current.Metadata.Name}");
                return;
            }

            Keep(draft, current, configHash);
            return;
        }

        var ended = draft.ComputePods.LastOrDefault(p => p.IsTerminal());
        if (draft.ComputePods.Count == 0 && !MayStartFirst(draft))
        {
            return;
        }

        var attempt = 0;
        var why = draft.ComputeGeneration == 0 ? "storage is up" : "there is no compute pod";
        if (ended is not null && ended == draft.ComputePods[^1])
        {
            attempt = AttemptAfter(ended, out var endedAt);
            var how = HowItEnded(ended);
            var wait = attempt <= 1 ? TimeSpan.Zero : Min(TimeSpan.FromSeconds(Math.Pow(2, Math.Min(attempt - 2, 10))), LongestWait);
            var left = endedAt + wait - draft.Snapshot.Now;
            if (left > TimeSpan.Zero)
            {
                draft.CheckAgain(left);
                draft.Problems.Add(new Problem("ComputeFails", $"{how}; {attempt} starts in a row have failed, the next comes after a pause: see kubectl logs {ended.Metadata.Name}", Blocks: true));
                draft.Activities.Add($"Waiting to start PostgreSQL again: {how}");
                return;
            }

            why = how;
            draft.Event(ended.Ended()?.ExitCode == 3 ? "ComputeFenced" : "ComputeEnded", $"{how} and is replaced", warning: true);
        }

        Start(draft, Build, image, attempt, why);
    }

    private static void Start(PlanDraft draft, Func<long, int, V1Pod> build, string image, int attempt, string why)
    {
        draft.ComputeGeneration++;
        var pod = build(draft.ComputeGeneration, attempt);
        draft.Create(pod, why);
        draft.Primary = pod.Metadata.Name;
        draft.ChosenComputeImage = image;
        draft.Event("ComputeStarted", $"{pod.Metadata.Name} is started");
        RemoveEnded(draft, keepNewest: true);
    }

    private static void Keep(PlanDraft draft, V1Pod current, string configHash)
    {
        draft.Primary = current.Metadata.Name;
        draft.ChosenComputeImage = current.Spec.Containers[0].Image;
        RemoveEnded(draft, keepNewest: !current.IsReady());
        if (current.Metadata.Annotation(Names.ConfigHashAnnotation) != configHash)
        {
            draft.Steps.Add(new PlanStep.AnnotatePod(
                Runtime.ObjectKey.Of(current),
                new Dictionary<string, string> { [Names.ConfigHashAnnotation] = configHash },
                "parameters have changed"));
            draft.Event("ParametersChanged", $"New parameters are handed to {current.Metadata.Name}");
        }

        if (current.Trouble() is { } trouble)
        {
            draft.Problems.Add(new Problem(trouble.Reason, trouble.Message, Blocks: true));
        }
    }

    private static (string Reason, string Message, bool Warning)? ReasonToReplace(PlanDraft draft, V1Pod pod, V1Pod wanted)
    {
        if (draft.NodeTrouble(pod) is { } trouble)
        {
            return ("ComputeNodeLost", trouble, true);
        }

        var report = draft.Snapshot.Reports.GetValueOrDefault(pod.Metadata.Name);
        if (report is { UnreachableSince: { } since, Compute: not null } && draft.Copies.Count(c => c.Answers) >= draft.Shape.Write)
        {
            var left = since + SilenceLimit - draft.Snapshot.Now;
            if (left <= TimeSpan.Zero)
            {
                return ("ComputeUnreachable", $"it has not answered for {SilenceLimit.TotalSeconds:0} s while storage does", true);
            }

            draft.CheckAgain(left);
        }

        if (!PlanDraft.IsCurrent(pod, wanted))
        {
            // While storage is being upgraded `wanted` has the old image; compute follows when storage is through.
            if (!pod.IsReady() || draft.StorageIsCurrent)
            {
                return ("ComputeUpgrading", "the spec asks for another pod (image, resources or placement)", false);
            }

            draft.Activities.Add("Waiting for storage before the compute pod is replaced");
        }

        if (report is { IsReachable: true, Compute: { State: "ready", PendingRestart: { Count: > 0 } pending } })
        {
            return ("ParametersNeedRestart", $"{string.Join(", ", pending)} take effect only with a new start", false);
        }

        return null;
    }

    /// <summary>Ordered creation: the very first compute pod waits for a write quorum of ready storage pods.</summary>
    private static bool MayStartFirst(PlanDraft draft)
    {
        if (draft.WasOpened || draft.ComputeGeneration > 0)
        {
            return true;
        }

        var ready = draft.Copies.Count(c => c.IsReady);
        if (ready >= draft.Shape.Write)
        {
            return true;
        }

        draft.Activities.Add($"Creating storage ({ready} of {draft.Shape.Copies} pods ready)");
        return false;
    }

    /// <summary>Pods that have ended are kept for their logs until a newer one is ready, but never more than one.</summary>
    private static void RemoveEnded(PlanDraft draft, bool keepNewest)
    {
        var ended = draft.ComputePods.Where(p => p.IsTerminal()).ToList();
        foreach (var pod in keepNewest ? ended.SkipLast(1) : ended)
        {
            draft.DeletePod(pod, "it has ended and a newer one is there");
        }
    }

    private static int AttemptAfter(V1Pod ended, out DateTime endedAt)
    {
        var state = ended.Ended();
        var startedAt = state?.StartedAt ?? ended.Metadata.CreationTimestamp ?? DateTime.MinValue;
        endedAt = state?.FinishedAt ?? startedAt;
        var before = int.TryParse(ended.Metadata.Annotation(Names.AttemptAnnotation), out var n) ? n : 0;
        return endedAt - startedAt < ShortLife ? before + 1 : 0;
    }

    private static string HowItEnded(V1Pod pod)
    {
        var name = pod.Metadata.Name;
        return pod.Ended() switch
        {
            { ExitCode: 3 } => $"{name} was fenced by a newer writer",
            { ExitCode: 2 } => $"{name} refused its configuration",
            { } state => $"{name} ended with exit status {state.ExitCode}" + (state.Reason == "OOMKilled" ? " (out of memory)" : ""),
            null => $"{name} ended ({pod.Status?.Reason ?? pod.Status?.Phase})",
        };
    }

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
