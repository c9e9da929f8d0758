using k8s.Models;

namespace Redoubt.Operator.Planning;

/// <summary>Questions about pods, claims and nodes that the planner asks.</summary>
public static class PodExtensions
{
    private static readonly HashSet<string> ImageTroubles = ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"];
    private static readonly HashSet<string> ConfigTroubles = ["CreateContainerConfigError", "CreateContainerError", "RunContainerError"];

    public static bool IsTerminating(this V1Pod pod) => pod.Metadata.DeletionTimestamp is not null;

    /// <summary>Whether its container has ended for good.</summary>
    public static bool IsTerminal(this V1Pod pod) => pod.Status?.Phase is "Failed" or "Succeeded";

    public static bool IsReady(this V1Pod pod) =>
        !pod.IsTerminating() && !pod.IsTerminal() && pod.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true;

    public static string? Role(this V1Pod pod) => pod.Metadata.Label(Names.RoleLabel);

    public static string? Label(this V1ObjectMeta metadata, string name) =>
        metadata.Labels is not null && metadata.Labels.TryGetValue(name, out var value) ? value : null;

    public static string? Annotation(this V1ObjectMeta metadata, string name) =>
        metadata.Annotations is not null && metadata.Annotations.TryGetValue(name, out var value) ? value : null;

    /// <summary>How the container ended, of a pod that has ended.</summary>
    public static V1ContainerStateTerminated? Ended(this V1Pod pod) =>
        pod.Status?.ContainerStatuses?.Select(s => s.State?.Terminated).FirstOrDefault(t => t is not null);

    /// <summary>Why the pod cannot start, if something needs a look: reason in one word, and a sentence. Null when nothing does.</summary>
    public static (string Reason, string Message)? Trouble(this V1Pod pod)
    {
        if (pod.IsTerminating() || pod.IsTerminal())
        {
            return null;
        }

        var scheduled = pod.Status?.Conditions?.FirstOrDefault(c => c is { Type: "PodScheduled", Status: "False", Reason: "Unschedulable" });
        if (scheduled is not null)
        {
            return ("Unschedulable", $"Pod {pod.Metadata.Name} finds no node: {scheduled.Message}");
        }

        foreach (var container in pod.Status?.ContainerStatuses ?? [])
        {
            var waiting = container.State?.Waiting;
            if (waiting?.Reason is null)
            {
                continue;
            }

            var image = pod.Spec?.Containers.FirstOrDefault(c => c.Name == container.Name)?.Image ?? container.Image;
            if (ImageTroubles.Contains(waiting.Reason))
            {
                return ("ImagePullFailed", $"Pod {pod.Metadata.Name} cannot get its image {image}: {waiting.Message ?? waiting.Reason}");
            }

            if (ConfigTroubles.Contains(waiting.Reason))
            {
                return ("ContainerNotCreated", $"Pod {pod.Metadata.Name} cannot be made: {waiting.Message ?? waiting.Reason}");
            }

            if (waiting.Reason == "CrashLoopBackOff")
            {
                var last = container.LastState?.Terminated;
                return ("CrashLoop", $"Pod {pod.Metadata.Name} ends again and again, last with exit status {last?.ExitCode}"
                    + (last?.Reason == "OOMKilled" ? " (OOMKilled): raise the memory limit in the spec" : ": see its log"));
            }
        }

        return null;
    }

    public static bool IsReady(this V1Node node) => node.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true;
}
