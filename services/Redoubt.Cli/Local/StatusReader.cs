using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Redoubt.Cli.Local;

/// <summary>Asks every process for its /status and makes one picture of the cluster.</summary>
internal sealed class StatusReader : IDisposable
{
    private const string Unreached = "compute does not reach it";
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(1500);
    private readonly HttpClient _http = new() { Timeout = Patience };

    /// <summary>The cluster as it is now.</summary>
    /// <param name="spec">What it is.</param>
    /// <param name="processes">Storage in index order, then compute.</param>
    /// <param name="port">Where PostgreSQL listens.</param>
    public async Task<ClusterStatus> ReadAsync(ClusterSpec spec, IReadOnlyList<ManagedProcess> processes, int port) =>
        Assemble(spec, processes, port, await Task.WhenAll(processes.Select(AskAsync)));

    /// <summary>
    /// The cluster while it starts, with as little asked as can be, because every request costs the start: compute, and storage only when compute is
    /// ready without all copies.
    /// </summary>
    public async Task<ClusterStatus> ReadStartingAsync(ClusterSpec spec, IReadOnlyList<ManagedProcess> processes, int port)
    {
        var compute = await IsListeningAsync(processes[^1]) ? await AskAsync(processes[^1]) : null;
        bool ready = Text(compute, "state") == "ready";
        if (ready && !AllCopiesFollow(compute!, spec))
        {
            return await ReadAsync(spec, processes, port);
        }

        return Assemble(spec, processes, port, [.. processes.SkipLast(1).Select(_ => ready ? new JsonObject { ["state"] = "ready" } : null), compute]);
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>True when every copy of every group has all of the log, in the eyes of compute.</summary>
    private static bool AllCopiesFollow(JsonObject compute, ClusterSpec spec) =>
        compute["segments"] is JsonArray segments && segments.Count == spec.Copies * spec.Groups
        && segments.All(s => s!["connected"]?.GetValue<bool>() == true && (spec.Groups > 1 || Text(s.AsObject(), "scl") == Text(compute, "vdl")));

    private static ClusterStatus Assemble(ClusterSpec spec, IReadOnlyList<ManagedProcess> processes, int port, JsonObject?[] documents)
    {
        var compute = documents[processes.Count - 1];
        var cutOff = CutOff(compute);
        var members = processes.Select((process, i) => Describe(process, documents[i], cutOff)).ToList();
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

    /// <summary>Whether anybody listens, without the cost of a failed request.</summary>
    private static async Task<bool> IsListeningAsync(ManagedProcess process)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        using var attempt = new SocketAsyncEventArgs { RemoteEndPoint = IPEndPoint.Parse(process.Is.Http) };
        var done = new TaskCompletionSource();
        attempt.Completed += (_, _) => done.TrySetResult();
        if (socket.ConnectAsync(attempt))
        {
            await done.Task;
        }

        return attempt.SocketError == SocketError.Success;
    }

    private async Task<JsonObject?> AskAsync(ManagedProcess process)
    {
        if (process.Pid is null)
        {
            return null;
        }

        try
        {
            return JsonNode.Parse(await _http.GetByteArrayAsync($"http://{process.Is.Http}/status"))?.AsObject();
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or JsonException or IOException)
        {
            return null;
        }
    }

    private static ClusterStatus.Member Describe(ManagedProcess process, JsonObject? document, HashSet<(string Name, uint Group)> cutOff)
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
                : document?["segments"]?.AsArray().Select(s => DescribeSegment(process.Is.Name, s!.AsObject(), cutOff)).ToList() ?? [],
            ParametersRejected = document?["parametersRejected"] is JsonArray { Count: > 0 } rejected ? [.. rejected.Select(r => DescribeRejected(r!.AsObject()))] : null,
            ParametersHash = Text(document, "parametersHash"),
            StartedMs = document?["startedMs"] is JsonObject stages
                ? stages.Where(s => s.Value is JsonValue v && v.TryGetValue(out double _)).ToDictionary(s => s.Key, s => s.Value!.GetValue<double>())
                : null,
        };
    }

    private static ClusterStatus.RejectedParameter DescribeRejected(JsonObject parameter) =>
        new(Text(parameter, "name") ?? "", Text(parameter, "value") ?? "", Text(parameter, "reason") ?? "");

    private static ClusterStatus.Segment DescribeSegment(string process, JsonObject segment, HashSet<(string Name, uint Group)> cutOff)
    {
        uint group = (uint)Number(segment, "group");
        string state = Text(segment, "state") ?? "failed";

        // A copy that is cut off does not know what it misses.
        bool unheard = state == "complete" && cutOff.Contains((process, group));
        return new ClusterStatus.Segment(
            group, Text(segment, "scl") ?? "0/0", Text(segment, "appliedLsn") ?? "0/0", unheard ? "behind" : state, unheard ? Unreached : Text(segment, "message"));
    }

    /// <summary>The copies that a ready compute has no stream to.</summary>
    private static HashSet<(string Name, uint Group)> CutOff(JsonObject? compute) =>
        Text(compute, "state") == "ready" && compute!["segments"] is JsonArray segments
            ? [.. segments.Where(s => s!["connected"]?.GetValue<bool>() == false).Select(s => (Text(s!.AsObject(), "name") ?? "", (uint)Number(s.AsObject(), "group")))]
            : [];

    private static (string Phase, string? Message) Judge(ClusterSpec spec, List<ClusterStatus.Member> members)
    {
        var compute = members[^1];
        var storage = members[..^1];
        var down = storage.Where(s => s.State != "ready").Select(s => s.Name).ToList();
        down.AddRange(storage.Where(m => m.State == "ready" && m.Segments?.Any(s => s.Message == Unreached) == true).Select(m => $"{m.Name} ({Unreached})"));
        bool quorum = storage.Count - down.Count >= spec.WriteQuorum;
        if (compute.State is "failed" or "fenced")
        {
            return ("Failed", $"compute is {compute.State}: {compute.Message ?? "see its log"}");
        }

        if (compute.State == "ready")
        {
            return !quorum ? ("Unavailable", $"{compute.Message ?? $"commits wait for {spec.WriteQuorum} copies"}; down: {string.Join(", ", down)}")
                : down.Count > 0 ? ("Degraded", $"down: {string.Join(", ", down)}")
                : storage.SelectMany(m => (m.Segments ?? []).Select(s => (m.Name, Segment: s))).FirstOrDefault(s => s.Segment.State != "complete") is { Name: { } name } found
                    ? ("Degraded", $"{name} is {found.Segment.State} in group {found.Segment.Group}{(found.Segment.Message is { } why ? $": {why}" : "")}")
                : ("Ready", compute.Message);
        }

        return (compute.State is "stopped" or "isolated" ? "Unavailable" : "Starting", compute.Message ?? $"compute is {compute.State}");
    }

    private static string? Text(JsonObject? document, string name) => document?[name] is JsonValue value && value.TryGetValue(out string? text) && text.Length > 0 ? text : null;

    private static ulong Number(JsonObject? document, string name) => document?[name] is JsonValue value && value.TryGetValue(out ulong number) ? number : 0;
}
