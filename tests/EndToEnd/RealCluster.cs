using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using k8s;
using k8s.Models;

namespace Redoubt.EndToEnd;

/// <summary>A real cluster named by KUBECONFIG; connections go through <c>kubectl port-forward</c>.</summary>
public sealed partial class RealCluster : Target
{
    private readonly ConcurrentDictionary<string, Lazy<Task<PortForward>>> _forwards = new();

    /// <inheritdoc />
    public override bool IsTestCluster => false;

    /// <inheritdoc />
    public override async Task<(string Storage, string Compute)?> OtherImagesAsync(Database database)
    {
        if (Environment.GetEnvironmentVariable("REDOUBT_E2E_UPGRADE_TAG") is { Length: > 0 } tag)
        {
            return ($"{ImagePrefix}redoubt:{tag}", $"{ImagePrefix}redoubt-compute:{tag}-pg17");
        }
        var storage = OtherName((await database.PodsAsync("storage"))[0]);
        var compute = OtherName((await database.PodsAsync("compute"))[0]);
        return storage is null || compute is null ? null : (storage, compute);
    }

    /// <summary>Another name of the image that a pod runs: in full where it is short for one on Docker Hub, else by digest where it came from a registry.</summary>
    private static string? OtherName(V1Pod pod)
    {
        var image = pod.Spec.Containers[0].Image;
        var host = image.Split('/')[0];
        if (!image.Contains('/') || !(host.Contains('.') || host.Contains(':') || host == "localhost"))
        {
            return image.Contains('/') ? $"docker.io/{image}" : $"docker.io/library/{image}";
        }
        var id = pod.Status.ContainerStatuses[0].ImageID;
        return id.StartsWith(host + "/", StringComparison.Ordinal) && id.Contains("@sha256:", StringComparison.Ordinal) ? id : null;
    }

    internal static RealCluster Open(string kubeconfig) => new()
    {
        Client = new Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(kubeconfig)),
        Kubeconfig = kubeconfig,
        ImagePrefix = Environment.GetEnvironmentVariable("REDOUBT_E2E_IMAGES") is { Length: > 0 } prefix ? prefix.TrimEnd('/') + "/" : "",
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
        var key = $"{ns}/{pod.Uid()}";
        if (_forwards.TryGetValue(key, out var known) && known.Value is { IsCompleted: true } && !(known.Value.IsCompletedSuccessfully && known.Value.Result.IsAlive))
        {
            _forwards.TryRemove(new(key, known));
        }
        var forward = await _forwards.GetOrAdd(key, _ => new(() => PortForward.StartAsync(Kubeconfig, ns, pod.Name(), target.Spec.Ports[0].Port))).Value;
        return ("127.0.0.1", forward.Port);
    }

    /// <inheritdoc />
    public override ValueTask DisposeAsync()
    {
        foreach (var forward in _forwards.Values.Where(f => f.IsValueCreated && f.Value.IsCompletedSuccessfully))
        {
            forward.Value.Result.Dispose();
        }
        Client.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>A port here whose connections end in a pod: kubectl, which speaks what the cluster's version speaks. It ends with the pod.</summary>
    private sealed partial class PortForward : IDisposable
    {
        private readonly Process _process;

        private PortForward(Process process, int port) => (_process, Port) = (process, port);

        public int Port { get; }

        public bool IsAlive => !_process.HasExited;

        [GeneratedRegex(@"^Forwarding from 127\.0\.0\.1:(?<port>\d+) ")]
        private static partial Regex Ready();

        public static async Task<PortForward> StartAsync(string kubeconfig, string ns, string pod, int port)
        {
            var process = Process.Start(new ProcessStartInfo(await Tool.KubectlAsync(),
                ["--kubeconfig", kubeconfig, "-n", ns, "port-forward", "--address", "127.0.0.1", $"pod/{pod}", $":{port}"])
            {
                RedirectStandardOutput = true, RedirectStandardError = true,
            })!;
            process.ErrorDataReceived += (_, _) => { }; // it complains of every connection that a killed pod breaks
            process.BeginErrorReadLine();
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            try
            {
                while (await process.StandardOutput.ReadLineAsync(limit.Token) is { } line)
                {
                    if (Ready().Match(line) is { Success: true } match)
                    {
                        _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null, CancellationToken.None);
                        return new PortForward(process, int.Parse(match.Groups["port"].Value, CultureInfo.InvariantCulture));
                    }
                }
            }
            catch (OperationCanceledException)
            {
                // no port in time
            }
            process.Kill();
            process.Dispose();
            throw new IOException($"kubectl forwards no port to {pod}: the pod is gone, or kubectl is not allowed to");
        }

        public void Dispose()
        {
            if (IsAlive)
            {
                _process.Kill();
            }
            _process.Dispose();
        }
    }
}
