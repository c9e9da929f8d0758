using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using k8s;
using k8s.Models;

namespace Redoubt.EndToEnd;

/// <summary>A real cluster named by KUBECONFIG; connections go through the API server's port-forward.</summary>
public sealed class RealCluster : Target
{
    private readonly ConcurrentDictionary<string, PortForward> _forwards = new();

    /// <inheritdoc />
    public override bool IsTestCluster => false;

    /// <inheritdoc />
    public override string? OtherImage(bool compute) => Environment.GetEnvironmentVariable("REDOUBT_E2E_UPGRADE_TAG") is { Length: > 0 } tag
        ? compute ? $"{ImagePrefix}redoubt-compute:{tag}-pg17" : $"{ImagePrefix}redoubt:{tag}"
        : null;

    internal static RealCluster Open(string kubeconfig) => new()
    {
        Client = new Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(kubeconfig)),
        Kubeconfig = kubeconfig,
        ImagePrefix = Environment.GetEnvironmentVariable("REDOUBT_E2E_IMAGES") ?? "",
    };

    /// <inheritdoc />
    public override async Task<(string Host, int Port)?> ReachAsync(string ns, string service)
    {
        var target = await Client.ReadNamespacedServiceAsync(service, ns);
        var selector = string.Join(',', target.Spec.Selector.Select(s => $"{s.Key}={s.Value}"));
        var pod = (await Client.ListNamespacedPodAsync(ns, labelSelector: selector)).Items
            .FirstOrDefault(p => p.Metadata.DeletionTimestamp is null && p.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true);
        if (pod is null)
        {
            return null;
        }
        var forward = _forwards.GetOrAdd($"{ns}/{pod.Uid()}", _ => new PortForward(Client, ns, pod.Name(), target.Spec.Ports[0].Port));
        return ("127.0.0.1", forward.Port);
    }

    /// <inheritdoc />
    public override ValueTask DisposeAsync()
    {
        foreach (var forward in _forwards.Values)
        {
            forward.Dispose();
        }
        Client.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>A port here whose connections end in a pod.</summary>
    private sealed class PortForward : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource _stop = new();

        public PortForward(Kubernetes client, string ns, string pod, int port)
        {
            _listener.Start();
            _ = AcceptAsync(client, ns, pod, port);
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        private async Task AcceptAsync(Kubernetes client, string ns, string pod, int port)
        {
            while (!_stop.IsCancellationRequested)
            {
                var connection = await _listener.AcceptTcpClientAsync(_stop.Token);
                _ = CarryAsync(client, ns, pod, port, connection);
            }
        }

        private async Task CarryAsync(Kubernetes client, string ns, string pod, int port, TcpClient connection)
        {
            using (connection)
            {
                try
                {
                    var socket = await client.WebSocketNamespacedPodPortForwardAsync(pod, ns, [port], "v4.channel.k8s.io", cancellationToken: _stop.Token);
                    using var demuxer = new StreamDemuxer(socket, StreamType.PortForward);
                    demuxer.Start();
                    await using var remote = demuxer.GetStream((byte?)0, (byte?)0);
                    await using var local = connection.GetStream();
                    await Task.WhenAny(local.CopyToAsync(remote, _stop.Token), remote.CopyToAsync(local, _stop.Token));
                }
                catch (Exception e) when (e is IOException or System.Net.WebSockets.WebSocketException or HttpRequestException or OperationCanceledException)
                {
                    // the pod is gone: the client of the connection sees it end
                }
            }
        }

        public void Dispose()
        {
            _stop.Cancel();
            _listener.Stop();
        }
    }
}
