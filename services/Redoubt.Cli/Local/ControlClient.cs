using System.Net.Sockets;
using System.Text.Json;

namespace Redoubt.Cli.Local;

/// <summary>Talks to the supervisor of a cluster.</summary>
internal static class ControlClient
{
    /// <summary>The supervisor's answer; null when no supervisor runs.</summary>
    /// <exception cref="CliException">It refused.</exception>
    public static async Task<ControlAnswer?> TryAskAsync(ClusterPaths paths, ControlRequest request, CancellationToken cancellation)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(paths.ControlSocket), cancellation);
        }
        catch (SocketException)
        {
            return null;
        }

        try
        {
            await using var stream = new NetworkStream(socket);
            await using var writer = new StreamWriter(stream, leaveOpen: true) { AutoFlush = true };
            using var reader = new StreamReader(stream, leaveOpen: true);
            await writer.WriteLineAsync(JsonSerializer.Serialize(request, ControlJson.Line.ControlRequest).AsMemory(), cancellation);
            if (await reader.ReadLineAsync(cancellation) is not { } line)
            {
                return null;
            }

            var answer = JsonSerializer.Deserialize(line, ControlJson.Line.ControlAnswer)!;
            return answer.Error is null ? answer : throw new CliException(answer.Error, answer.ExitCode);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>The supervisor's answer.</summary>
    /// <exception cref="CliException">No supervisor runs, or it refused.</exception>
    public static async Task<ControlAnswer> AskAsync(ClusterPaths paths, ControlRequest request, CancellationToken cancellation) =>
        await TryAskAsync(paths, request, cancellation)
        ?? throw new CliException(File.Exists(paths.Spec)
            ? $"The cluster in {paths.Folder} is not running; start it with ./redoubt up"
            : $"There is no cluster in {paths.Folder}; make one with ./redoubt up");

    /// <summary>The running cluster's status.</summary>
    public static async Task<ClusterStatus> StatusAsync(ClusterPaths paths, CancellationToken cancellation) =>
        (await AskAsync(paths, new ControlRequest("status"), cancellation)).Status!;
}
