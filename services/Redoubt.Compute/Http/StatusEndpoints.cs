using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Serialization;
using Redoubt.Compute.Postgres;
using Redoubt.Compute.Runtime;
using Redoubt.Wal;

namespace Redoubt.Compute.Http;

/// <summary>/healthz, /readyz, /status (docs/processes.md).</summary>
public static class StatusEndpoints
{
    public static void MapStatus(this IEndpointRouteBuilder routes, string name, AgentStatus status, AgentMetrics metrics)
    {
        routes.MapGet("/healthz", () => Results.Text("ok\n"));
        routes.MapGet("/readyz", () => IsReady(status)
            ? Results.Text("ready\n")
            : Results.Text($"{status.State}: {Reason(status)}\n", statusCode: StatusCodes.Status503ServiceUnavailable));
        routes.MapGet("/status", () => Results.Json(Document(name, status, metrics), StatusJson.Default.StatusDocument));
    }

    private static bool IsReady(AgentStatus status) => status.State == "ready" && status.Writer?.HasWriteQuorum == true;

    private static string Reason(AgentStatus status) => status.State != "ready" ? status.Message
        : Waiting(status) is { } waiting ? waiting
        : status.Writer?.HasWriteQuorum != true ? "commits cannot reach a write quorum"
        : string.Join("; ", status.ParametersRejected.Select(p => $"not in force: {p}").Append(status.AdministrationProblem).Append(status.Message).Where(m => m.Length > 0));

    /// <summary>What waits for a write quorum longer than a commit ever should; null when nothing does.</summary>
    private static string? Waiting(AgentStatus status)
    {
        if (status.Gate?.Waiting is not { Since: > 0 } waiting || Stopwatch.GetElapsedTime(waiting.Since) is not { TotalSeconds: > 1 } age)
        {
            return null;
        }

        return string.Create(CultureInfo.InvariantCulture, $"waiting for a quorum since {DateTime.UtcNow - age:HH:mm:ss} UTC ({waiting.Commits} commits)");
    }

    private static StatusDocument Document(string name, AgentStatus status, AgentMetrics metrics)
    {
        var writer = status.Writer;
        var streams = writer?.Streams.SelectMany(g => g).ToArray() ?? [];
        return new StatusDocument(
            name,
            "primary",
            status.State,
            Reason(status),
            status.Epoch,
            new Lsn(writer?.Vdl ?? 0).ToString(),
            status.PostgresPid,
            status.StartedMs,
            status.PendingRestart,
            status.ParametersRejected,
            status.ParametersHash,
            status.AdministrationProblem,
            status.LastWords,
            status.EarlierLogBytes + streams.Sum(s => s.BytesSent),
            (long)metrics.Pages.Bytes.Value,
            [.. streams.Select(s => new SegmentDocument(
                s.Segment.Name,
                s.Segment.Group,
                new Lsn(writer!.Scl(s.Segment.Group, s.Segment.Copy)).ToString(),
                new Lsn(s.Applied).ToString(),
                s.IsConnected))]);
    }
}

internal sealed record StatusDocument(
    string Name,
    string Role,
    string State,
    string Message,
    ulong Epoch,
    string Vdl,
    int PostgresPid,
    IReadOnlyDictionary<string, long> StartedMs,
    IReadOnlyList<string> PendingRestart,
    IReadOnlyList<RejectedParameter> ParametersRejected,
    string ParametersHash,
    string AdministrationProblem,
    string LastWords,
    long LogBytesSent,
    long PageBytesReceived,
    IReadOnlyList<SegmentDocument> Segments);

internal sealed record SegmentDocument(string Name, int Group, string Scl, string AppliedLsn, bool Connected);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(StatusDocument))]
internal sealed partial class StatusJson : JsonSerializerContext;
