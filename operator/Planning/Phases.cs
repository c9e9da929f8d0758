namespace Redoubt.Operator.Planning;

/// <summary>The short words that <c>kubectl get</c> shows; the sentences are in the status' message and in the conditions.</summary>
internal static class Phases
{
    private static readonly Dictionary<string, string> Words = new()
    {
        ["AdministrationFailed"] = "passwords",
        ["ApplyFailed"] = "refused",
        ["ComputeFails"] = "PostgreSQL",
        ["ComputeNotReady"] = "PostgreSQL",
        ["ContainerNotCreated"] = "container",
        ["CrashLoop"] = "crash loop",
        ["ImagePullFailed"] = "image",
        ["NameTaken"] = "name taken",
        ["NamespaceTerminating"] = "namespace",
        ["NodeLost"] = "node",
        ["NodeStarved"] = "node",
        ["NotReady"] = "PostgreSQL",
        ["OperatorForbidden"] = "permissions",
        ["ParametersInvalid"] = "parameters",
        ["Placement"] = "placement",
        ["PodSecurity"] = "pod security",
        ["QuotaExceeded"] = "quota",
        ["RetainedVolumesDiffer"] = "old volumes",
        ["SegmentFailed"] = "segments",
        ["SegmentsIncomplete"] = "segments",
        ["ServerError"] = "API server",
        ["StorageClassMissing"] = "storage class",
        ["Unschedulable"] = "scheduling",
        ["VolumeCannotGrow"] = "size",
        ["VolumeDeletionHeld"] = "volume",
        ["VolumeLost"] = "volume",
        ["WebhookRefused"] = "webhook",
    };

    /// <summary>The word for the reason of a problem.</summary>
    public static string WordFor(string reason) => Words.GetValueOrDefault(reason, "see describe");

    public static string Of(string state, string reason) => $"{state}: {WordFor(reason)}";
}
