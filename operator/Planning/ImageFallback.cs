using k8s.Models;

namespace Redoubt.Operator.Planning;

/// <summary>
/// A compute image that cannot be had must not end a database that ran with another: the next compute pod gets the image that last served, until
/// the spec names a different one.
/// </summary>
internal static class ImageFallback
{
    /// <summary>The image of the next compute pod.</summary>
    public static string Choose(PlanDraft draft)
    {
        draft.LastGoodComputeImage ??= draft.OldStatus.LastGoodComputeImage;
        draft.FailedComputeImage ??= draft.OldStatus.FailedComputeImage == draft.ComputeImage ? draft.ComputeImage : null;
        if (draft.FailedComputeImage is null || draft.LastGoodComputeImage is not { } good || good == draft.ComputeImage)
        {
            // While storage is being upgraded a successor has the old image; compute follows when storage is through.
            return draft.StorageIsCurrent ? draft.ComputeImage : draft.OldStatus.ComputeImage ?? draft.ComputeImage;
        }

        if (!draft.Problems.Any(p => p.Reason == "ImagePullFailed"))
        {
            draft.Problems.Add(new Problem(
                "ImagePullFailed",
                $"The compute image {draft.ComputeImage} could not be had, so PostgreSQL goes on with {good}: write an image that the nodes can pull, or the old one, into spec.images.compute"));
        }

        return good;
    }

    /// <returns>Why the pod is to make way for one with the image that last served; null when it is not.</returns>
    public static string? IsCalledFor(PlanDraft draft, V1Pod pod)
    {
        if (pod.IsReady() || pod.Trouble() is not { Reason: "ImagePullFailed" } || pod.Spec.Containers[0].Image != draft.ComputeImage
            || draft.OldStatus.LastGoodComputeImage is not { } good || good == draft.ComputeImage)
        {
            return null;
        }

        draft.FailedComputeImage = draft.ComputeImage;
        return $"its image {draft.ComputeImage} could not be had; {good} served before";
    }

    /// <summary>Notes the image of a pod that serves.</summary>
    public static void Remember(PlanDraft draft, V1Pod pod)
    {
        if (pod.IsReady())
        {
            draft.LastGoodComputeImage = pod.Spec.Containers[0].Image;
        }
    }
}
