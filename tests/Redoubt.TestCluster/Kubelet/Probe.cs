using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json.Nodes;

namespace Redoubt.TestCluster.Kubelet;

/// <summary>One try of a probe.</summary>
internal static class Probe
{
    private static readonly HttpClient Http = new(new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.Zero })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>Null when it succeeds, else why it fails.</summary>
    public static async Task<string?> TryAsync(JsonObject probe, JsonObject container, string podIp, int pid, int user, CancellationToken cancellation)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(TimeSpan.FromSeconds(probe.Integer("timeoutSeconds") ?? 1));
        try
        {
            if (probe.Object("httpGet") is { } http)
            {
                var url = $"{http.Text("scheme")?.ToLowerInvariant() ?? "http"}://{http.Text("host") ?? podIp}:{Port(http["port"], container)}{http.Text("path") ?? "/"}";
                using var request = new HttpRequestMessage(HttpMethod.Get, url);
                request.Headers.ConnectionClose = true;
                using var response = await Http.SendAsync(request, timeout.Token);
                return (int)response.StatusCode is >= 200 and < 400 ? null : $"HTTP probe failed with statuscode: {(int)response.StatusCode}";
            }
            if (probe.Object("tcpSocket") is { } tcp)
            {
                using var client = new TcpClient();
                await client.ConnectAsync(tcp.Text("host") ?? podIp, Port(tcp["port"], container), timeout.Token);
                return null;
            }
            if (probe.Object("exec") is { } exec)
            {
                return await ExecAsync([.. exec.Strings("command")], pid, user, timeout.Token);
            }
            return "this kind of probe is not supported by the test kubelet";
        }
        catch (Exception e) when (e is HttpRequestException or SocketException)
        {
            return e.Message;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return "context deadline exceeded";
        }
    }

    private static int Port(JsonNode? port, JsonObject container) => port.Text() is { } name
        ? (int)(container.Objects("ports").FirstOrDefault(p => p.Text("name") == name).Integer("containerPort") ?? 0)
        : port is JsonValue v && Json.TryInteger(v, out var n) ? (int)n : 0;

    private static async Task<string?> ExecAsync(string[] command, int pid, int user, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo("/usr/bin/nsenter",
            ["--target", $"{pid}", "--mount", "--pid", "--root", "--wd", "--setuid", $"{user}", "--setgid", $"{user}", "--", .. command])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        try
        {
            var output = await process.StandardOutput.ReadToEndAsync(cancellation) + await process.StandardError.ReadToEndAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            return process.ExitCode == 0 ? null : $"command failed with {process.ExitCode}: {output.Trim()}";
        }
        catch (OperationCanceledException)
        {
            process.Kill(true);
            throw;
        }
    }
}
