using System.Text.Json;
using k8s.Models;

namespace Redoubt.Operator.Planning;

/// <summary>How a pod ended, in words: the kubelet's reason, the exit status, and what the process said last.</summary>
internal static class Endings
{
    private const int LongestWord = 300;

    public static string Of(V1Pod pod, ComputeReport? report)
    {
        var state = pod.Ended();
        var how = (pod.Status?.Reason, state) switch
        {
            ({ Length: > 0 } reason, _) when reason is "Evicted" or "Preempting" or "NodeShutdown" or "NodeLost" or "Terminated" or "OutOfcpu" or "OutOfmemory" =>
                $"the compute pod was ended by its node ({reason}{(string.IsNullOrEmpty(pod.Status!.Message) ? "" : $": {pod.Status.Message.TrimEnd('.', ' ')}")})",
            (_, { Reason: "OOMKilled" }) => "the compute pod was killed for its memory (OOMKilled): raise spec.compute.resources.limits.memory, or lower shared_buffers, work_mem or max_connections",
            (_, { ExitCode: 3 }) => "the compute pod was fenced by a newer writer",
            (_, { ExitCode: 2 }) => "the compute pod refused its configuration",
            (_, { ExitCode: > 128 and < 160 } s) => $"the compute pod was ended by signal {s.ExitCode - 128} (exit status {s.ExitCode})",
            (_, { } s) => $"the compute pod ended with exit status {s.ExitCode}",
            _ => $"the compute pod ended ({pod.Status?.Reason ?? pod.Status?.Phase})",
        };
        var said = !string.IsNullOrEmpty(report?.LastWords) ? report.LastWords : LastSentence(state?.Message);
        return string.IsNullOrEmpty(said) ? how : $"{how}; it said: {Short(said)}";
    }

    /// <summary>The last sentence of a termination message, which is the end of the container's log: JSON lines or plain ones.</summary>
    private static string? LastSentence(string? message)
    {
        foreach (var line in (message ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Reverse())
        {
            if (!line.StartsWith('{'))
            {
                return line;
            }

            try
            {
                using var json = JsonDocument.Parse(line);
                var level = Text(json, "LogLevel") ?? Text(json, "level");
                if (level is null or "Error" or "Critical" or "Warning" or "FATAL" or "PANIC")
                {
                    return Text(json, "Message") ?? Text(json, "message");
                }
            }
            catch (JsonException)
            {
                // The kubelet cuts the beginning of a long log off.
            }
        }

        return null;
    }

    private static string? Text(JsonDocument json, string name) =>
        json.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static string Short(string text) => text.Length <= LongestWord ? text : text[..LongestWord] + "…";
}
