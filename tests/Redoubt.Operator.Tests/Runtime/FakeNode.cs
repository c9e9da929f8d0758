using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Redoubt.Operator.Planning;
using Redoubt.TestCluster;
using Redoubt.TestCluster.Api;

namespace Redoubt.Operator.Tests.Runtime;

/// <summary>
/// Scheduler, kubelet, volume provisioner and the processes in the pods, as far as the operator can tell: a pod runs and is
/// ready at once, and answers <c>/status</c> (this is also the handler through which the operator asks). What processes say
/// can be set. The real processes run in the end-to-end suite.
/// </summary>
internal sealed class FakeNode : HttpMessageHandler, IAsyncDisposable
{
    private readonly Registry registry;
    private ObjectStore.Subscription subscription;
    private Task running;
    private readonly ConcurrentDictionary<string, string> addresses = new();
    private readonly ConcurrentDictionary<string, long> epochs = new();
    private int lastAddress;
    private long lastEpoch;

    public FakeNode(Registry registry)
    {
        this.registry = registry;
        subscription = registry.Store.Subscribe(null, null);
        running = Task.Run(RunAsync);
    }

    /// <summary>State of the segments of a storage pod, by name of the pod; <c>complete</c> when absent.</summary>
    public ConcurrentDictionary<string, string> SegmentStates { get; } = new();

    /// <summary>Parameters that wait for a restart, by name of the compute pod.</summary>
    public ConcurrentDictionary<string, string[]> PendingRestart { get; } = new();

    /// <summary>Images that cannot be pulled.</summary>
    public ConcurrentDictionary<string, bool> BrokenImages { get; } = new();

    /// <summary>Called with the name of each pod that begins to run.</summary>
    public event Action<string>? Started;

    /// <summary>Goes on after its watch was dropped with all others.</summary>
    public void Reconnect()
    {
        subscription.Dispose();
        running.GetAwaiter().GetResult();
        subscription = registry.Store.Subscribe(null, null);
        running = Task.Run(RunAsync);
    }

    /// <summary>Ends the container of a pod.</summary>
    public void Kill(string pod, int exitCode)
    {
        var value = registry.Get(BuiltInTypes.Pods, "default", pod).Clone();
        var now = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ");
        value["status"]!["phase"] = "Failed";
        value["status"]!["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "False" });
        value["status"]!["containerStatuses"] = new JsonArray(new JsonObject
        {
            ["name"] = value["spec"]!["containers"]![0]!["name"]!.DeepClone(),
            ["image"] = "x",
            ["imageID"] = "x",
            ["ready"] = false,
            ["restartCount"] = 0,
            ["state"] = new JsonObject { ["terminated"] = new JsonObject { ["exitCode"] = exitCode, ["startedAt"] = now, ["finishedAt"] = now } },
        });
        registry.Store.Put("pods", value);
    }

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (!addresses.TryGetValue(request.RequestUri!.Host, out var pod) || registry.TryGet(BuiltInTypes.Pods, "default", pod) is not { } value
            || value.Text("status", "phase") != "Running")
        {
            throw new HttpRequestException("Connection refused.");
        }

        JsonObject status;
        if (value.Text("metadata", "labels", Names.RoleLabel) == Names.Compute)
        {
            status = new JsonObject
            {
                ["name"] = "compute",
                ["role"] = "primary",
                ["state"] = "ready",
                ["epoch"] = epochs[pod],
                ["vdl"] = "0/2000000",
                ["pendingRestart"] = new JsonArray([.. PendingRestart.GetValueOrDefault(pod, []).Select(p => (JsonNode)p)]),
            };
        }
        else
        {
            status = new JsonObject
            {
                ["name"] = pod,
                ["state"] = "ready",
                ["segments"] = new JsonArray(new JsonObject
                {
                    ["group"] = 0,
                    ["epoch"] = 1,
                    ["scl"] = "0/2000000",
                    ["appliedLsn"] = "0/2000000",
                    ["vdl"] = "0/2000000",
                    ["state"] = SegmentStates.GetValueOrDefault(pod, "complete"),
                }),
            };
        }

        return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(status.ToJsonString(), Encoding.UTF8, "application/json") });
    }

    public async ValueTask DisposeAsync()
    {
        subscription.Dispose();
        await running;
        Dispose();
    }

    private async Task RunAsync()
    {
        await foreach (var change in subscription.Events.ReadAllAsync())
        {
            if (change.Type == "DELETED")
            {
                if (change.Resource == "pods")
                {
                    ReleaseVolume(change.Object.Name());
                }

                continue;
            }

            lock (registry.Store.Lock)
            {
                switch (change.Resource)
                {
                    case "pods" when registry.TryGet(BuiltInTypes.Pods, change.Object.Namespace(), change.Object.Name()) is { } pod:
                        Pod(pod.Clone());
                        break;
                    case "persistentvolumeclaims" when registry.TryGet(BuiltInTypes.Claims, change.Object.Namespace(), change.Object.Name()) is { } claim:
                        Claim(claim.Clone());
                        break;
                }
            }
        }
    }

    private void Pod(JsonObject pod)
    {
        if (pod.At("metadata", "deletionTimestamp") is not null)
        {
            registry.Delete(BuiltInTypes.Pods, pod.Namespace(), pod.Name(), new DeleteOptions(0));
            return;
        }

        if (pod.Text("status", "phase") != "Pending" || pod.Text("spec", "nodeName") is not null)
        {
            return;
        }

        var image = pod["spec"]!["containers"]![0]!["image"]!.ToString();
        pod["spec"]!["nodeName"] = "w1";
        if (BrokenImages.ContainsKey(image))
        {
            pod["status"]!["containerStatuses"] = new JsonArray(new JsonObject
            {
                ["name"] = pod["spec"]!["containers"]![0]!["name"]!.DeepClone(),
                ["image"] = image,
                ["imageID"] = "",
                ["ready"] = false,
                ["restartCount"] = 0,
                ["state"] = new JsonObject { ["waiting"] = new JsonObject { ["reason"] = "ErrImagePull", ["message"] = "not found" } },
            });
            registry.Store.Put("pods", pod);
            return;
        }

        var address = "127.9.0." + Interlocked.Increment(ref lastAddress);
        addresses[address] = pod.Name();
        epochs[pod.Name()] = Interlocked.Increment(ref lastEpoch);
        pod["status"]!["phase"] = "Running";
        pod["status"]!["podIP"] = address;
        pod["status"]!["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True" });
        registry.Store.Put("pods", pod);
        Started?.Invoke(pod.Name());
    }

    private void Claim(JsonObject claim)
    {
        if (claim.At("metadata", "deletionTimestamp") is not null)
        {
            if (registry.TryGet(BuiltInTypes.Pods, claim.Namespace(), claim.Name()) is null)
            {
                Release(claim);
            }
        }
        else if (claim.Text("status", "phase") == "Pending" && claim.Text("spec", "storageClassName") == "standard")
        {
            claim["status"]!["phase"] = "Bound";
            registry.Store.Put("persistentvolumeclaims", claim);
        }
    }

    /// <summary>Volume protection: a claim goes only when the pod that uses it (it has the same name here) is gone.</summary>
    private void ReleaseVolume(string pod)
    {
        lock (registry.Store.Lock)
        {
            if (registry.TryGet(BuiltInTypes.Claims, "default", pod) is { } claim && claim.At("metadata", "deletionTimestamp") is not null)
            {
                Release(claim.Clone());
            }
        }
    }

    private void Release(JsonObject claim) => registry.Store.Remove("persistentvolumeclaims", claim);
}
