using System.Globalization;
using k8s.Models;
using Redoubt.Operator.Planning.Builders;

namespace Redoubt.Operator.Planning;

/// <summary>
/// The one compute pod. One that has ended, is going, or sits on a lost node is replaced at once by one of the next
/// generation: the epoch of the new writer fences the old, so nothing has to be waited for.
/// </summary>
internal static class ComputePlan
{
    /// <summary>A pod that ended sooner than this after its start counts as a failed attempt, and the next waits a little.</summary>
    private static readonly TimeSpan ShortLife = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    /// <summary>A pod that does not become ready for longer than this needs a look; making a new database takes longer.</summary>
    private static readonly TimeSpan LongStart = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LongImport = TimeSpan.FromMinutes(5);

    public static void Plan(PlanDraft draft)
    {
        draft.ComputeGeneration = Math.Max(
            draft.OldStatus.ComputeGeneration ?? 0,
            draft.ComputePods.Select(p => Names.ComputeGeneration(draft.Name, p.Metadata.Name)).DefaultIfEmpty(0).Max());
        var image = ImageFallback.Choose(draft);
        draft.ChosenComputeImage = draft.OldStatus.ComputeImage;

        var living = draft.ComputePods.Where(p => !p.IsTerminating() && !p.IsTerminal()).ToList();
        foreach (var old in living.SkipLast(1))
        {
            draft.DeletePod(old, "a newer compute pod has taken over");
        }

        var current = living.LastOrDefault();
        if (current is not null)
        {
            var wanted = Build(draft, Names.ComputeGeneration(draft.Name, current.Metadata.Name), image);
            if (ReasonToReplace(draft, current, wanted) is { } reason)
            {
                var silences = reason.Reason == SilencePlan.Reason ? SilencePlan.Count(draft, current) + 1 : 0;
                draft.DeletePod(current, reason.Message, new PlannedEvent(reason.Warning, reason.Reason, $"The compute pod is replaced: {reason.Message}"));
                draft.Activities.Add($"Replacing the compute pod: {reason.Message}");
                Start(draft, reason.Reason == "ComputeImageFailed" ? ImageFallback.Choose(draft) : image, 0, $"it replaces {current.Metadata.Name}", silences);
                return;
            }

            Keep(draft, current);
            ImageFallback.Remember(draft, current);
            return;
        }

        StartNext(draft, image);
    }

    private static V1Pod Build(PlanDraft draft, long generation, string image, int attempt = 0, int silences = 0)
    {
        var pod = ComputePodBuilder.Build(draft.Cluster, draft.Snapshot.Options.RunAsUser, generation, draft.VolumeId, image);
        pod.Metadata.Annotations[Names.AttemptAnnotation] = attempt.ToString(CultureInfo.InvariantCulture);
        pod.Metadata.Annotations[Names.SilenceAnnotation] = silences.ToString(CultureInfo.InvariantCulture);
        pod.Metadata.Annotations[Names.ConfigHashAnnotation] = draft.ConfigHash;
        pod.Metadata.Annotations[Names.StartConfigAnnotation] = draft.ConfigHash;
        SecretsPlan.Stamp(draft, pod);
        return pod;
    }

    private static void StartNext(PlanDraft draft, string image)
    {
        var ended = draft.ComputePods.LastOrDefault(p => p.IsTerminal());
        if (draft.ComputePods.Count == 0 && !MayStartFirst(draft))
        {
            return;
        }

        var attempt = 0;
        var why = draft.ComputeGeneration == 0 ? "storage is up" : "there is no compute pod";
        PlannedEvent? told = null;
        if (ended is not null && ended == draft.ComputePods[^1])
        {
            attempt = AttemptAfter(ended, out var endedAt);
            var how = Endings.Of(ended, draft.Snapshot.Reports.GetValueOrDefault(ended.Metadata.Name)?.Compute);
            var wait = attempt <= 1 ? TimeSpan.Zero : Min(TimeSpan.FromSeconds(Math.Pow(2, Math.Min(attempt - 2, 10))), LongestWait);
            var left = endedAt + wait - draft.Snapshot.Now;
            if (left > TimeSpan.Zero)
            {
                draft.CheckAgain(left);
                draft.Problems.Add(new Problem("ComputeFails", $"PostgreSQL ends soon after each start: {how}; the next start comes after a pause: see kubectl logs {ended.Metadata.Name}", Blocks: true));
                draft.Activities.Add($"Waiting to start PostgreSQL again: {how}");
                return;
            }

            why = how;
            told = new PlannedEvent(true, ended.Ended()?.ExitCode == 3 ? "ComputeFenced" : "ComputeEnded", $"{Capital(how)} and is replaced");
        }

        Start(draft, image, attempt, why, 0, told);
    }

    private static void Start(PlanDraft draft, string image, int attempt, string why, int silences, PlannedEvent? told = null)
    {
        var generation = draft.ComputeGeneration + 1;
        var pod = Build(draft, generation, image, attempt, silences);
        var started = new PlannedEvent(false, "ComputeStarted", "A compute pod is started");
        draft.Create(pod, why, told is null ? [started] : [told, started]);
        RemoveEnded(draft, keepNewest: true);
        if (draft.IsRefused(Names.Compute))
        {
            // A generation counts when its pod exists.
            draft.Activities.Add("Starting PostgreSQL");
            return;
        }

        draft.ComputeGeneration = generation;
        draft.Primary = pod.Metadata.Name;
        draft.ChosenComputeImage = image;
    }

    private static void Keep(PlanDraft draft, V1Pod current)
    {
        draft.Primary = current.Metadata.Name;
        draft.ChosenComputeImage = current.Spec.Containers[0].Image;
        RemoveEnded(draft, keepNewest: !current.IsReady());
        if (current.Metadata.Annotation(Names.ConfigHashAnnotation) != draft.ConfigHash)
        {
            draft.Steps.Add(new PlanStep.AnnotatePod(
                Runtime.ObjectKey.Of(current),
                new Dictionary<string, string> { [Names.ConfigHashAnnotation] = draft.ConfigHash },
                "parameters have changed")
            {
                Told = [new PlannedEvent(false, "ParametersChanged", "New parameters are handed to PostgreSQL")],
            });
        }

        if (current.Trouble() is { } trouble)
        {
            draft.Problems.Add(new Problem(trouble.Reason, trouble.Message, Blocks: true));
        }
        else if (!current.IsReady() && current.Status?.Phase == "Running" && draft.Activities.Count == 0)
        {
            CheckSlowStart(draft, current);
        }
    }

    private static void CheckSlowStart(PlanDraft draft, V1Pod pod)
    {
        var report = draft.Snapshot.Reports.GetValueOrDefault(pod.Metadata.Name)?.Compute;
        var since = pod.Status?.Conditions?.FirstOrDefault(c => c.Type == "Ready")?.LastTransitionTime ?? pod.Status?.StartTime ?? pod.Metadata.CreationTimestamp ?? draft.Snapshot.Now;
        var left = since + (report?.State == "importing" ? LongImport : LongStart) - draft.Snapshot.Now;
        if (left > TimeSpan.Zero)
        {
            draft.CheckAgain(left);
            return;
        }

        var says = string.IsNullOrEmpty(report?.Message) ? report?.State : report.Message;
        draft.Problems.Add(new Problem(
            "ComputeNotReady",
            $"PostgreSQL in {pod.Metadata.Name} has not become ready for a long time{(string.IsNullOrEmpty(says) ? "" : $": {says}")}: see kubectl logs {pod.Metadata.Name}"));
    }

    private static (string Reason, string Message, bool Warning)? ReasonToReplace(PlanDraft draft, V1Pod pod, V1Pod wanted)
    {
        if (draft.NodeTrouble(pod) is { } trouble)
        {
            return ("ComputeNodeLost", trouble, true);
        }

        if (SilencePlan.IsOver(draft, pod))
        {
            return (SilencePlan.Reason, "it does not answer while storage does", true);
        }

        if (!PlanDraft.IsCurrent(pod, wanted))
        {
            // While storage is being upgraded `wanted` has the old image; compute follows when storage is through.
            if (!pod.IsReady() || (draft.StorageIsCurrent && draft.WouldBeTaken(wanted)))
            {
                return ("ComputeUpgrading", "the spec asks for another pod (image, resources or placement)", false);
            }

            draft.Activities.Add(draft.StorageIsCurrent ? "Waiting until the server would take the new compute pod" : "Waiting for storage before the compute pod is replaced");
        }

        if (ImageFallback.IsCalledFor(draft, pod) is { } without)
        {
            return ("ComputeImageFailed", without, true);
        }

        if (SecretsPlan.HasOldSharedSecret(draft, pod))
        {
            return ("SharedSecretChanged", "the shared secret of the processes has changed", true);
        }

        var report = draft.Snapshot.Reports.GetValueOrDefault(pod.Metadata.Name);
        return report is { IsReachable: true, Compute: { State: "ready" } compute } && ParametersPlan.NeedsRestart(draft, pod, compute) is { } pending
            ? ("ParametersNeedRestart", $"{string.Join(", ", pending)} take effect only with a new start", false)
            : null;
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

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
