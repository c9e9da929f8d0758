using k8s.Models;
using Redoubt.Operator.Api;
using Redoubt.Operator.Planning.Builders;

namespace Redoubt.Operator.Planning;

/// <summary>Tells the state of the cluster: a few words, a sentence, six conditions, the segments; and an event for each condition that turns.</summary>
internal static class StatusPlan
{
    public static ClusterPlan Finish(PlanDraft draft)
    {
        var segments = Segments(draft);
        var complete = segments.Count(s => s.State == "complete");
        var primaryPod = draft.ComputePods.FirstOrDefault(p => p.Metadata.Name == draft.Primary);
        var report = draft.Primary is null ? null : draft.Snapshot.Reports.GetValueOrDefault(draft.Primary)?.Compute;
        var deleting = draft.Cluster.Metadata.DeletionTimestamp is not null;
        var ready = !deleting && primaryPod is not null && primaryPod.IsReady() && (report?.State is null or "ready");
        var restart = RestartPlan.Tell(draft, report);
        var rejected = ParametersPlan.Rejected(draft, draft.Primary is null ? null : draft.Snapshot.Reports.GetValueOrDefault(draft.Primary));
        if (!deleting)
        {
            Activities(draft, ready, complete, segments.Count, report);
            AddProblems(draft, rejected, report);
        }

        var conditions = new Conditions(draft);
        var sentence = Sentence(draft, ready, complete, segments.Count);
        conditions.Set(ConditionTypes.Ready, ready, ready ? "AcceptingConnections" : ReasonNotReady(draft, deleting), ready
            ? $"PostgreSQL {draft.Spec.Postgres.Version} in {draft.Primary} accepts connections and commits"
            : sentence);
        conditions.SetParameters(rejected);

        var lacking = draft.GroupsWithoutWriteQuorum().ToList();
        conditions.Set(ConditionTypes.WriteQuorum, lacking.Count == 0, lacking.Count == 0 ? "QuorumReached" : "QuorumMissing", lacking.Count == 0
            ? "Every group has a write quorum"
            : string.Join("; ", lacking.Select(l => $"group {l.Group} has {l.Count} of the {draft.Shape.Write} segments that a commit needs")));

        var bad = segments.Where(s => s.State != "complete").ToList();
        conditions.Set(ConditionTypes.StorageHealthy, bad.Count == 0, bad.Count == 0 ? "AllComplete" : "SegmentsIncomplete", bad.Count == 0
            ? "All segments are complete" + ZoneRemark(draft)
            : "Not complete: " + string.Join(", ", bad.Select(s => $"{s.Name} {(draft.Groups > 1 ? $"group {s.Group} " : "")}({s.State})")));

        var hindrance = Hindrance(draft);
        var progressing = draft.Activities.Count > 0 && hindrance is null;
        conditions.Set(ConditionTypes.Progressing, progressing, progressing ? "Reconciling" : hindrance is null ? "UpToDate" : "Hindered",
            progressing ? string.Join("; ", draft.Activities) : hindrance is null ? "The cluster is what its spec asks for" : hindrance.Message);

        var degraded = draft.Problems.Count > 0 || (draft.WasOpened && !deleting && (bad.Count > 0 || !ready));
        conditions.Set(ConditionTypes.Degraded, degraded,
            !degraded ? "Sound" : draft.Problems.Count > 0 ? (hindrance ?? draft.Problems[0]).Reason : bad.Count > 0 ? "SegmentsIncomplete" : "NotReady",
            !degraded ? "Nothing is wrong"
            : draft.Problems.Count > 0 ? string.Join("; ", draft.Problems.Select(p => p.Message))
            : bad.Count > 0 ? $"{complete} of {segments.Count} segments are complete" : sentence,
            draft.Problems.Count > 0 ? (hindrance ?? draft.Problems[0]).Message : null);

        // A compute that starts knows no epoch yet; what was last seen stays.
        var epoch = Math.Max(draft.OldStatus.Epoch ?? 0, report?.Epoch ?? 0);
        var status = new DatabaseClusterStatus
        {
            Phase = Phase(draft, ready, bad.Count > 0),
            Message = sentence,
            ObservedGeneration = draft.Cluster.Metadata.Generation,
            Conditions = conditions.All,
            VolumeId = draft.VolumeId,
            Epoch = epoch > 0 ? epoch : null,
            Vdl = report?.Vdl ?? draft.OldStatus.Vdl,
            Primary = draft.Primary,
            ComputeGeneration = draft.ComputeGeneration > 0 ? draft.ComputeGeneration : null,
            ComputeImage = draft.ChosenComputeImage,
            LastGoodComputeImage = draft.LastGoodComputeImage ?? draft.OldStatus.LastGoodComputeImage,
            FailedComputeImage = draft.FailedComputeImage,
            LastRestart = restart,
            StorageSize = LargestSize(draft),
            Service = Names.ReadWriteService(draft.Name),
            SegmentsReady = $"{complete}/{segments.Count}",
            Segments = segments,
        };
        return new ClusterPlan(draft.Steps, status, [.. draft.Events, .. conditions.Events], draft.CheckAgainAfter);
    }

    private static List<SegmentStatus> Segments(PlanDraft draft) =>
    [
        .. draft.Copies.SelectMany(copy => Enumerable.Range(0, draft.Groups).Select(group =>
        {
            var segment = copy.Segment(group);
            return new SegmentStatus
            {
                Name = copy.Name,
                Group = group,
                Zone = copy.Zone,
                Node = copy.Pod?.Spec?.NodeName,
                State = State(draft, copy, group, segment),
                Scl = segment?.Scl ?? (draft.Remembered(copy, group) is null ? null : Old(draft, copy, group)?.Scl),
                AppliedLsn = segment?.AppliedLsn ?? (draft.Remembered(copy, group) is null ? null : Old(draft, copy, group)?.AppliedLsn),
                Message = string.IsNullOrEmpty(segment?.Message) ? null : segment.Message,
            };
        })),
    ];

    private static SegmentStatus? Old(PlanDraft draft, CopyState copy, int group) =>
        draft.OldStatus.Segments?.FirstOrDefault(s => s.Name == copy.Name && s.Group == group);

    private static string State(PlanDraft draft, CopyState copy, int group, SegmentReport? segment) => copy switch
    {
        { Pod: null } => draft.WasOpened ? "missing" : "starting",
        { Report: { UnreachableSince: not null, Storage: not null } } when copy.Pod!.IsReady() => "unreachable",
        { IsReady: false } => segment?.State == "failed" ? "failed" : "starting",
        _ when segment is { State: "complete" } && copy.Lagging.Contains(segment.Group) => "behind",
        _ => segment?.State ?? draft.Remembered(copy, group) ?? "starting",
    };

    private static void Activities(PlanDraft draft, bool ready, int complete, int all, ComputeReport? report)
    {
        if (!draft.WasOpened && complete < all && draft.Activities.Count == 0 && !ready)
        {
            draft.Activities.Add($"Creating storage ({draft.Copies.Count(c => c.IsReady)} of {draft.Shape.Copies} pods ready)");
        }

        if (!ready && draft.Primary is not null)
        {
            var detail = string.IsNullOrEmpty(report?.Message) ? report?.State : report.Message;
            draft.Activities.Add($"Starting PostgreSQL in {draft.Primary}" + (string.IsNullOrEmpty(detail) ? "" : $" ({detail})"));
        }

        if (ready && complete < all)
        {
            draft.Activities.Add($"Waiting for storage ({complete} of {all} segments complete)");
        }
    }

    private static void AddProblems(PlanDraft draft, IReadOnlyList<RejectedParameter>? rejected, ComputeReport? report)
    {
        if (rejected is { Count: > 0 })
        {
            // A new cluster has no set that was ever in force, and waits for one.
            draft.Problems.Add(new Problem("ParametersInvalid", RejectionSentence(rejected), Blocks: report?.State == "failed"));
        }

        if (!string.IsNullOrEmpty(report?.AdministrationProblem))
        {
            draft.Problems.Add(new Problem("AdministrationFailed", report.AdministrationProblem));
        }
    }

    private static string RejectionSentence(IReadOnlyList<RejectedParameter> rejected) =>
        $"PostgreSQL does not take {string.Join("; ", rejected)}. What was in force stays so: put spec.postgres.parameters right";

    /// <summary>The largest size that a volume asks for that exists; null before there is one.</summary>
    private static string? LargestSize(PlanDraft draft) => draft.Copies
        .Where(c => c.Claim?.Status?.Phase == "Bound").Select(c => c.Claim!.Spec.Resources.Requests["storage"]).MaxBy(q => q.ToDecimal())?.ToString();

    private static string Phase(PlanDraft draft, bool ready, bool incomplete)
    {
        if (draft.Cluster.Metadata.DeletionTimestamp is not null)
        {
            return draft.Problems.Count > 0 ? Phases.Of("Deleting", draft.Problems[0].Reason) : "Deleting";
        }

        var upgrade = draft.Activities.FirstOrDefault(a => a.StartsWith("Upgrading storage", StringComparison.Ordinal));
        if (ready)
        {
            return draft.Problems.FirstOrDefault(p => p.Reason != "Placement") is { } problem ? Phases.Of("Degraded", problem.Reason)
                : upgrade is not null ? "Upgrading" + upgrade["Upgrading storage".Length..].Replace(" pods done", "", StringComparison.Ordinal)
                : incomplete ? Phases.Of("Degraded", "SegmentsIncomplete")
                : draft.Problems.Count > 0 ? Phases.Of("Degraded", draft.Problems[0].Reason)
                : "Ready";
        }

        if (Hindrance(draft) is { } hindrance && (hindrance.Blocks || !LacksQuorum(draft)))
        {
            return Phases.Of(draft.WasOpened ? "Unavailable" : "Waiting", hindrance.Reason);
        }

        if (LacksQuorum(draft))
        {
            return "Unavailable: quorum";
        }

        return draft.WasOpened ? "Recovering"
            : draft.Primary is not null ? "Starting"
            : $"Creating ({draft.Copies.Count(c => c.IsReady)} of {draft.Shape.Copies})";
    }

    private static bool LacksQuorum(PlanDraft draft) => draft.WasOpened && draft.GroupsWithoutWriteQuorum().Any();

    private static string Sentence(PlanDraft draft, bool ready, int complete, int all)
    {
        if (draft.Cluster.Metadata.DeletionTimestamp is not null)
        {
            return string.Join("; ", [draft.Activities.FirstOrDefault() ?? "Deleting", .. draft.Problems.Select(p => p.Message)]);
        }

        if (!ready && Hindrance(draft) is { } hindrance)
        {
            return hindrance.Message;
        }

        if (ready)
        {
            var upgrade = draft.Activities.FirstOrDefault(a => a.StartsWith("Upgrading", StringComparison.Ordinal));
            return draft.Problems.Count > 0 ? string.Join("; ", draft.Problems.Select(p => p.Message))
                : upgrade is not null ? "Ready; " + upgrade[..1].ToLowerInvariant() + upgrade[1..]
                : complete < all ? $"Ready, {complete} of {all} segments complete"
                : "Ready";
        }

        if (draft.WasOpened && draft.GroupsWithoutWriteQuorum().FirstOrDefault() is { Count: var count } lacking && lacking != default)
        {
            return $"Unavailable: {count} of the {draft.Shape.Write} storage segments that a commit needs";
        }

        return draft.Activities.FirstOrDefault() ?? "Creating";
    }

    /// <summary>The problem that keeps the cluster from getting on: any that blocks, or any at all while storage is short of a write quorum.</summary>
    private static Problem? Hindrance(PlanDraft draft) =>
        draft.Problems.FirstOrDefault(p => p.Blocks)
        ?? (draft.Copies.Count(c => c.IsReady) < draft.Shape.Write ? draft.Problems.FirstOrDefault() : null);

    private static string ReasonNotReady(PlanDraft draft, bool deleting) =>
        deleting ? "Deleting"
        : Hindrance(draft) is { } hindrance ? hindrance.Reason
        : draft.WasOpened ? "Recovering" : "Creating";

    private static string ZoneRemark(PlanDraft draft)
    {
        if (draft.Shape.Copies == 1)
        {
            return "; there is one copy only";
        }

        var zones = draft.Copies.Select(c => c.Zone).Distinct().Count();
        return draft.Copies.All(c => c.Zone is null) ? $"; no node has the label {draft.Spec.Storage.TopologyKey}, so zones are unknown"
            : zones < 3 ? $"; the copies are in {zones} zone{(zones == 1 ? "" : "s")} only, and the loss of one stops writes" : "";
    }

    /// <summary>Keeps the time of a condition that has not turned, and makes an event of one that has.</summary>
    private sealed class Conditions(PlanDraft draft)
    {
        public List<V1Condition> All { get; } = [];
        public List<PlannedEvent> Events { get; } = [];

        /// <param name="type">See <see cref="ConditionTypes"/>.</param>
        /// <param name="value">Whether it holds.</param>
        /// <param name="reason">In one word.</param>
        /// <param name="message">All there is to say.</param>
        /// <param name="told">What an event says instead: the one fact that its reason names.</param>
        public void Set(string type, bool value, string reason, string message, string? told = null)
        {
            var old = draft.OldStatus.Conditions?.FirstOrDefault(c => c.Type == type);
            var text = value ? "True" : "False";
            All.Add(new V1Condition
            {
                Type = type,
                Status = text,
                Reason = reason,
                Message = message,
                ObservedGeneration = draft.Cluster.Metadata.Generation,
                LastTransitionTime = old?.Status == text ? old.LastTransitionTime : draft.Snapshot.Now,
            });
            var good = type == ConditionTypes.Degraded ? !value : value;
            if (old is null ? type == ConditionTypes.Degraded && value : old.Status != text || (type == ConditionTypes.Degraded && value && old.Reason != reason))
            {
                switch (type)
                {
                    case ConditionTypes.Ready:
                        Events.Add(new PlannedEvent(!good, good ? "Ready" : "NotReady", message));
                        break;
                    case ConditionTypes.WriteQuorum:
                        Events.Add(new PlannedEvent(!good, good ? "WriteQuorumReached" : "WriteQuorumLost", message));
                        break;
                    case ConditionTypes.StorageHealthy:
                        Events.Add(new PlannedEvent(!good, good ? "StorageHealed" : "StorageDegraded", message));
                        break;
                    case ConditionTypes.Degraded when value && reason is not ("SegmentsIncomplete" or "NotReady" or "ParametersInvalid"):
                        Events.Add(new PlannedEvent(true, reason, told ?? message));
                        break;
                }
            }
        }

        /// <summary>Parameters that nobody has judged yet leave the condition as it was.</summary>
        public void SetParameters(IReadOnlyList<RejectedParameter>? rejected)
        {
            var old = draft.OldStatus.Conditions?.FirstOrDefault(c => c.Type == ConditionTypes.ParametersValid);
            var text = rejected is null ? old?.Status ?? "Unknown" : rejected.Count > 0 ? "False" : "True";
            var message = rejected is null ? old?.Message ?? "PostgreSQL has not judged the parameters yet"
                : rejected.Count > 0 ? RejectionSentence(rejected) : "PostgreSQL takes all parameters";
            All.Add(new V1Condition
            {
                Type = ConditionTypes.ParametersValid,
                Status = text,
                Reason = text switch { "True" => "Accepted", "False" => "Rejected", _ => "NotJudged" },
                Message = message,
                ObservedGeneration = rejected is null && old is not null ? old.ObservedGeneration : draft.Cluster.Metadata.Generation,
                LastTransitionTime = old?.Status == text ? old.LastTransitionTime : draft.Snapshot.Now,
            });
            if (text == "False" && (old?.Status != text || old.Message != message))
            {
                Events.Add(new PlannedEvent(true, "ParametersInvalid", message));
            }
            else if (text == "True" && old?.Status == "False")
            {
                Events.Add(new PlannedEvent(false, "ParametersValid", message));
            }
        }
    }
}
