using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Redoubt.Cli.Local;

/// <summary>The supervisor's unix socket: one JSON line asked, one answered.</summary>
internal sealed class ControlServer : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Supervisor _supervisor;
    private readonly Socket _listener;
    private readonly string _path;
    private readonly Task _accepting;

    public ControlServer(Supervisor supervisor, string path)
    {
        _supervisor = supervisor;
        _path = path;
        File.Delete(path);
        _listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _listener.Listen(16);
        _accepting = AcceptAsync();
    }

    public async ValueTask DisposeAsync()
    {
        File.Delete(_path);
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            var connection = await _listener.AcceptAsync(_stop.Token);
            _ = Task.Run(() => AnswerAsync(connection));
        }
    }

    private async Task AnswerAsync(Socket connection)
    {
        await using var stream = new NetworkStream(connection, ownsSocket: true);
        using var reader = new StreamReader(stream, leaveOpen: true);
        await using var writer = new StreamWriter(stream) { AutoFlush = true };
        ControlAnswer answer;
        try
        {
            var request = JsonSerializer.Deserialize(await reader.ReadLineAsync(_stop.Token) ?? "", ControlJson.Line.ControlRequest)!;
            answer = request.Command switch
            {
                "status" => new ControlAnswer(null, 0, await _supervisor.StatusAsync(), null),
                "starting" => new ControlAnswer(null, 0, await _supervisor.StartingAsync(_stop.Token), null),
                "down" => Down(),
                "reload" => new ControlAnswer(null, 0, null, _supervisor.Reload()),
                _ => new ControlAnswer(null, 0, null, await _supervisor.DrillAsync(request.Command, request.Target ?? "", request.Amount)),
            };
        }
        catch (CliException e)
        {
            answer = new ControlAnswer(e.Message, e.ExitCode, null, null);
        }
        catch (Exception e) when (e is JsonException or IOException or OperationCanceledException)
        {
            answer = new ControlAnswer(e.Message, CliException.Failed, null, null);
        }

        try
        {
            await writer.WriteLineAsync(JsonSerializer.Serialize(answer, ControlJson.Line.ControlAnswer));
        }
        catch (IOException)
        {
            // The caller went away.
        }
    }

    private ControlAnswer Down()
    {
        _supervisor.RequestStop();
        return new ControlAnswer(null, 0, null, "stopping");
    }
}

/// <summary>What the command line asks the supervisor.</summary>
/// <param name="Command">status, starting (status as far as a waiting up needs it, answered once it has something to say), down, reload, or a drill.</param>
/// <param name="Target">Of a drill.</param>
/// <param name="Amount">Of a drill.</param>
internal sealed record ControlRequest(string Command, string? Target = null, long Amount = 0);

/// <summary>What it answers.</summary>
/// <param name="Error">Why not; null when done.</param>
/// <param name="ExitCode">For the command.</param>
/// <param name="Status">Of "status".</param>
/// <param name="Done">What was done, in words.</param>
internal sealed record ControlAnswer(string? Error, int ExitCode, ClusterStatus? Status, string? Done);

/// <summary>Serializers made at compile time: reflection would cost every command's start.</summary>
[JsonSerializable(typeof(ControlRequest))]
[JsonSerializable(typeof(ControlAnswer))]
[JsonSerializable(typeof(ClusterSpec))]
internal sealed partial class ControlJson : JsonSerializerContext
{
    /// <summary>One line a document.</summary>
    public static ControlJson Line { get; } = new(new JsonSerializerOptions(Local.ClusterSpec.Json) { WriteIndented = false });

    /// <summary>For files.</summary>
    public static ControlJson Indented { get; } = new(new JsonSerializerOptions(Local.ClusterSpec.Json));
}
