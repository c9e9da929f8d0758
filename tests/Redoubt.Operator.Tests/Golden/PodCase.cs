using System.Text.Json.Serialization;
using k8s.Models;

namespace Redoubt.Operator.Tests.Golden;

/// <summary>A pod in a few words.</summary>
internal abstract class PodCase
{
    /// <summary><c>ready</c>, <c>starting</c>, <c>pending</c>, <c>failed</c>, <c>succeeded</c> or <c>none</c>.</summary>
    [JsonPropertyName("pod")] public string Pod { get; init; } = "ready";
    [JsonPropertyName("terminating")] public bool Terminating { get; init; }
    [JsonPropertyName("node")] public string? Node { get; init; }
    [JsonPropertyName("image")] public string? Image { get; init; }

    /// <summary>State in the process's own report; null: it was never asked.</summary>
    [JsonPropertyName("state")] public string? State { get; init; }
    [JsonPropertyName("silentSeconds")] public int? SilentSeconds { get; init; }
    [JsonPropertyName("exitCode")] public int? ExitCode { get; init; }
    [JsonPropertyName("livedSeconds")] public int LivedSeconds { get; init; } = 600;
    [JsonPropertyName("endReason")] public string? EndReason { get; init; }
    [JsonPropertyName("endMessage")] public string? EndMessage { get; init; }
    [JsonPropertyName("evicted")] public string? Evicted { get; init; }
    [JsonPropertyName("endedSecondsAgo")] public int EndedSecondsAgo { get; init; }
    [JsonPropertyName("waiting")] public string? Waiting { get; init; }
    [JsonPropertyName("waitingMessage")] public string? WaitingMessage { get; init; }
    [JsonPropertyName("unschedulable")] public string? Unschedulable { get; init; }

    public void Describe(V1Pod pod, string address, string node)
    {
        pod.Metadata.Uid = "uid-" + pod.Metadata.Name;
        pod.Metadata.CreationTimestamp = GoldenCase.Now.AddHours(-1);
        pod.Metadata.DeletionTimestamp = Terminating ? GoldenCase.Now : null;
        pod.Spec.NodeName = Pod == "pending" ? null : Node ?? node;
        var state = new V1ContainerState();
        if (ExitCode is { } code)
        {
            var ended = GoldenCase.Now.AddSeconds(-EndedSecondsAgo);
            state.Terminated = new V1ContainerStateTerminated { ExitCode = code, StartedAt = ended.AddSeconds(-LivedSeconds), FinishedAt = ended, Reason = EndReason, Message = EndMessage };
        }
        else if (Waiting is not null)
        {
            state.Waiting = new V1ContainerStateWaiting { Reason = Waiting, Message = WaitingMessage };
        }

        pod.Status = new V1PodStatus
        {
            Phase = Pod switch { "failed" => "Failed", "succeeded" => "Succeeded", "pending" => "Pending", _ => "Running" },
            PodIP = address,
            Reason = Evicted is null ? null : "Evicted",
            Message = Evicted,
            Conditions =
            [
                new V1PodCondition { Type = "Ready", Status = Pod == "ready" ? "True" : "False" },
                .. Unschedulable is null ? Array.Empty<V1PodCondition>()
                    : [new V1PodCondition { Type = "PodScheduled", Status = "False", Reason = "Unschedulable", Message = Unschedulable }],
            ],
            ContainerStatuses = [new V1ContainerStatus { Name = pod.Spec.Containers[0].Name, Image = pod.Spec.Containers[0].Image, State = state }],
        };
    }
}
