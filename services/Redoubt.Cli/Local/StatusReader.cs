using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Redoubt.Cli.Local;

/// <summary>Asks every process for its /status and makes one picture of the cluster.</summary>
internal sealed class StatusReader : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(1500);
    private readonly HttpClient _http = new() { Timeout = Patience };

    /// <summary>The cluster as it is now.</summary>
    /// <param name="spec">What it is.</param>
    /// <param name="processes">Storage in index order, then compute.</param>
    /// <param name="port">Where PostgreSQL listens.</param>
    /// <param name="untilReady">Ask only compute as long as it is not ready: while everything starts, every request costs the start.</param>
    public async Task<ClusterStatus> ReadAsync(ClusterSpec spec, IReadOnlyList<ManagedProcess> processes, int port, bool untilReady)
    {
        var first = untilReady ? await AskAsync(processes[^1]) : null;
        var documents = untilReady && Text(first, "state") != "ready"
            ? [.. new JsonObject?[processes.Count - 1], first]
            : await Task.WhenAll(processes.Select(process => AskAsync(process)));
        var members = processes.Select((process, i) => Describe(process, documents[i])).ToList();
        var compute = documents[processes.Count - 1];
        var (phase, message) = Judge(spec, members);
        return new ClusterStatus
        {
            Name = spec.Name,
            Phase = phase,
            Message = message,
            Epoch = Number(compute, "epoch"),
            Vdl = Text(compute, "vdl"),
            SupervisorPid = Environment.ProcessId,
            Postgres = spec.Postgres,
            Copies = spec.Copies,
            WriteQuorum = spec.WriteQuorum,
            ReadQuorum = spec.ReadQuorum,
            Groups = spec.Groups,
            Endpoints = new ClusterStatus.Addresses($"postgresql://postgres@127.0.0.1:{port}/postgres", []),
            Processes = [members[^1], .. members[..^1]],
            Network = new ClusterStatus.Traffic((long)Number(compute, "logBytesSent"), (long)Number(compute, "pageBytesReceived")),
        };
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<JsonObject?> AskAsync(ManagedProcess process)
    {
        if (process.Pid is null)
        {
            return null;
        }

        try
        {
            return await _http.GetFromJsonAsync<JsonObject>($"http://{process.Is.Http}/status");
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or JsonException or IOException)
        {
            return null;
        }
    }

    private static ClusterStatus.Member Describe(ManagedProcess process, JsonObject? document)
    {
        string state = process.State switch
        {
            "running" => document is null ? "starting" : Text(document, "state") ?? "starting",
            "waiting" => "restarting",
            var other => other,
        };
        return new ClusterStatus.Member
        {
            Name = process.Is.Name,
            Role = process.Is.Role,
            Zone = process.Is.Zone,
            Pid = process.Pid,
            PostgresPid = document?["postgresPid"] is JsonValue pid && pid.TryGetValue(out int value) && value > 0 ? value : null,
            State = state,
            Message = Text(document, "message"),
            Restarts = process.Restarts,
            DataDir = process.Is.DataDir,
            Metrics = $"http://{process.Is.Http}/metrics",
            Endpoint = process.Is.Endpoint,
            Segments = process.Is.Role != "storage" ? null
                : document?["segments"]?.AsArray().Select(s => new ClusterStatus.Segment(
                    (uint)Number(s!.AsObject(), "group"), Text(s.AsObject(), "scl") ?? "0/0", Text(s.AsObject(), "appliedLsn") ?? "0/0", Text(s.AsObject(), "state") ?? "failed",
                    Text(s.AsObject(), "message"))).ToList() ?? [],
            StartedMs = document?["startedMs"] is JsonObject stages
                ? stages.Where(s => s.Value is JsonValue v && v.TryGetValue(out double _)).ToDictionary(s => s.Key, s => s.Value!.GetValue<double>())
                : null,
        };
    }

    private static (string Phase, string? Message) Judge(ClusterSpec spec, List<ClusterStatus.Member> members)
    {
        var compute = members[^1];
        var storage = members[..^1];
        var down = storage.Where(s => s.State != "ready").Select(s => s.Name).ToList();
        bool quorum = storage.Count - down.Count >= spec.WriteQuorum;
        if (compute.State is "failed" or "fenced")
        {
            return ("Failed", $"compute is {compute.State}: {compute.Message ?? "see its log"}");
        }

        if (compute.State == "ready")
        {
            return !quorum ? ("Unavailable", $"commits wait for {spec.WriteQuorum} copies; down: {string.Join(", ", down)}")
                : down.Count > 0 ? ("Degraded", $"down: {string.Join(", ", down)}")
                : storage.SelectMany(s => s.Segments ?? []).FirstOrDefault(s => s.State != "complete") is { } behind ? ("Degraded", $"a segment of group {behind.Group} is {behind.State}")
                : ("Ready", null);
        }

        return (compute.State == "stopped" ? "Unavailable" : "Starting", compute.Message ?? $"compute is {compute.State}");
    }

    private static string? Text(JsonObject? document, string name) => document?[name] is JsonValue value && value.TryGetValue(out string? text) && text.Length > 0 ? text : null;

    private static ulong Number(JsonObject? document, string name) => document?[name] is JsonValue value && value.TryGetValue(out ulong number) ? number : 0;
}
