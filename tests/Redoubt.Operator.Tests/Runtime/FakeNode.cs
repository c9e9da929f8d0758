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
    private readonly ConcurrentDictionary<string, (string Namespace, string Name)> addresses = new();
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

    /// <summary>Processes that do not answer, by name of the pod.</summary>
    public ConcurrentDictionary<string, bool> Silent { get; } = new();

    /// <summary>How long the processes of a node think before they answer.</summary>
    public ConcurrentDictionary<string, TimeSpan> Slow { get; } = new();

    /// <summary>More fields of the status of compute pods, by name of the pod; <c>*</c> is every one.</summary>
    public ConcurrentDictionary<string, JsonObject> More { get; } = new();

    /// <summary>Whether volumes stay on the node on which they were first used.</summary>
    public bool LocalVolumes { get; set; }

    /// <summary>Nodes of volumes, when those are local.</summary>
    private readonly ConcurrentDictionary<string, string> homes = new();

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
    /// <param name="pod">Its name.</param>
    /// <param name="exitCode">Its exit status.</param>
    /// <param name="reason">The kubelet's reason, for example OOMKilled.</param>
    /// <param name="message">What the container left in its termination message.</param>
    public void Kill(string pod, int exitCode, string? reason = null, string? message = null)
    {
        var now = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ");
        var ended = new JsonObject { ["exitCode"] = exitCode, ["startedAt"] = now, ["finishedAt"] = now, ["reason"] = reason ?? "Error" };
        if (message is not null)
        {
            ended["message"] = message;
        }

        End(pod, status => status["containerStatuses"] = new JsonArray(new JsonObject
        {
            ["name"] = "compute",
            ["image"] = "x",
            ["imageID"] = "x",
            ["ready"] = false,
            ["restartCount"] = 0,
            ["state"] = new JsonObject { ["terminated"] = ended },
        }));
    }

    /// <summary>The kubelet evicts a pod for want of something.</summary>
    public void Evict(string pod, string message) => End(pod, status =>
    {
        status["reason"] = "Evicted";
        status["message"] = message;
    });

    private void End(string pod, Action<JsonObject> how)
    {
        lock (registry.Store.Lock)
        {
            var value = registry.Get(BuiltInTypes.Pods, "default", pod).Clone();
            value["status"]!["phase"] = "Failed";
            value["status"]!["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "False" });
            how(value["status"]!.AsObject());
            registry.Store.Put("pods", value);
        }
    }

    /// <summary>The kubelet's probe of a pod succeeds or fails from now on.</summary>
    public void SetReady(string pod, bool ready)
    {
        lock (registry.Store.Lock)
        {
            var value = registry.Get(BuiltInTypes.Pods, "default", pod).Clone();
            value["status"]!["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = ready ? "True" : "False" });
            registry.Store.Put("pods", value);
        }
    }

    /// <summary>PostgreSQL starts again inside a compute pod.</summary>
    public void Reopen(string pod) => epochs[pod] = Interlocked.Increment(ref lastEpoch);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (!addresses.TryGetValue(request.RequestUri!.Host, out var id) || registry.TryGet(BuiltInTypes.Pods, id.Namespace, id.Name) is not { } value
            || value.Text("status", "phase") != "Running")
        {
            throw new HttpRequestException("Connection refused.");
        }

        var pod = id.Name;
        if (Silent.ContainsKey(pod))
        {
            throw new HttpRequestException("No answer.");
        }

        if (Slow.TryGetValue(value.Text("spec", "nodeName") ?? "", out var delay))
        {
            await Task.Delay(delay, cancellationToken);
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
            foreach (var (name, field) in More.GetValueOrDefault(pod) ?? More.GetValueOrDefault("*") ?? [])
            {
                status[name] = field?.DeepClone();
            }
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

        return new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(status.ToJsonString(), Encoding.UTF8, "application/json") };
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
                    ReleaseVolume(change.Object.Namespace(), change.Object.Name());
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
                    case "nodes":
                        foreach (var waiting in registry.List(BuiltInTypes.Pods).Where(p => p.Text("spec", "nodeName") is null && p.At("metadata", "deletionTimestamp") is null))
                        {
                            Pod(waiting.Clone());
                        }

                        break;
                    case "persistentvolumeclaims" when registry.TryGet(BuiltInTypes.Claims, change.Object.Namespace(), change.Object.Name()) is { } claim:
                        Claim(claim.Clone());
                        break;
                }
            }
        }
    }

    /// <summary>A node that answers nobody: its pods stay as they are.</summary>
    public void Lose(string node)
    {
        lostNodes[node] = true;
        lock (registry.Store.Lock)
        {
            var value = registry.Get(BuiltInTypes.Nodes, "", node).Clone();
            value["status"]!["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "Unknown" });
            registry.Store.Put("nodes", value);
            foreach (var pod in registry.List(BuiltInTypes.Pods).Where(p => p.Text("spec", "nodeName") == node))
            {
                Silent[pod.Name()] = true;
            }
        }
    }

    private readonly ConcurrentDictionary<string, bool> lostNodes = new();

    private void Pod(JsonObject pod)
    {
        if (pod.At("metadata", "deletionTimestamp") is not null && lostNodes.ContainsKey(pod.Text("spec", "nodeName") ?? ""))
        {
            return;
        }

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
        if (Place(pod) is not { } node)
        {
            var unschedulable = new JsonObject
            {
                ["type"] = "PodScheduled", ["status"] = "False", ["reason"] = "Unschedulable", ["message"] = "no node takes the pod",
            };
            if (!pod.Objects("status", "conditions").Any(c => c.Text("reason") == "Unschedulable"))
            {
                pod["status"]!["conditions"] = new JsonArray(unschedulable);
                registry.Store.Put("pods", pod);
            }

            return;
        }

        pod["spec"]!["nodeName"] = node;
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

        var number = Interlocked.Increment(ref lastAddress);
        var address = $"127.9.{number / 250}.{1 + (number % 250)}";
        addresses[address] = (pod.Namespace(), pod.Name());
        epochs[pod.Name()] = Interlocked.Increment(ref lastEpoch);
        pod["status"]!["phase"] = "Running";
        pod["status"]!["podIP"] = address;
        pod["status"]!["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True" });
        registry.Store.Put("pods", pod);
        Started?.Invoke(pod.Name());
    }

    /// <summary>The node with the fewest pods that is not cordoned, is in the zone that the pod asks for and, for local volumes, has its volume.</summary>
    private string? Place(JsonObject pod)
    {
        var zones = pod.Objects("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
            .SelectMany(t => t.Objects("matchExpressions")).Where(e => e.Text("key") == "topology.kubernetes.io/zone").SelectMany(e => e.Strings("values")).ToList();
        var isStorage = pod.Text("metadata", "labels", Names.RoleLabel) == Names.Storage;
        var home = LocalVolumes && isStorage ? homes.GetValueOrDefault(pod.Name()) : null;
        var load = registry.List(BuiltInTypes.Pods).ToLookup(p => p.Text("spec", "nodeName") ?? "");
        var node = registry.List(BuiltInTypes.Nodes)
            .Where(n => n.Flag("spec", "unschedulable") is not true && !lostNodes.ContainsKey(n.Name()) && (home is null || n.Name() == home)
                && (zones.Count == 0 || zones.Contains(n.Text("metadata", "labels", "topology.kubernetes.io/zone") ?? "")))
            .OrderBy(n => load[n.Name()].Count()).ThenBy(n => n.Name(), StringComparer.Ordinal).FirstOrDefault()?.Name();
        if (isStorage && node is not null)
        {
            homes[pod.Name()] = node;
        }

        return node;
    }

    /// <summary>Takes a node out of service, or puts it back.</summary>
    public void Cordon(string node, bool cordoned = true)
    {
        lock (registry.Store.Lock)
        {
            var value = registry.Get(BuiltInTypes.Nodes, "", node).Clone();
            value.Child("spec")["unschedulable"] = cordoned;
            registry.Store.Put("nodes", value);
        }
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
    private void ReleaseVolume(string ns, string pod)
    {
        lock (registry.Store.Lock)
        {
            if (registry.TryGet(BuiltInTypes.Claims, ns, pod) is { } claim && claim.At("metadata", "deletionTimestamp") is not null)
            {
                Release(claim.Clone());
            }
        }
    }

    private void Release(JsonObject claim) => registry.Store.Remove("persistentvolumeclaims", claim);
}
