using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Redoubt.TestCluster.Api;
using Redoubt.TestCluster.Controllers;
using Redoubt.TestCluster.Patching;

namespace Redoubt.TestCluster.Kubelet;

/// <summary>The kubelets of all nodes: runs what is bound to a living node, ends what is deleted, keeps names and volumes current.</summary>
internal sealed class Kubelets : IAsyncDisposable
{
    private static readonly HashSet<string> Resources = ["pods", "services", "secrets", "configmaps", "nodes"];

    private readonly Registry _registry;
    private readonly EventLog _events;
    private readonly KubeletOptions _options;
    private readonly VolumeBinder _binder;
    private readonly Authorizer _authorizer;
    private readonly string _certificate;
    private readonly ConcurrentDictionary<string, (PodWorker Worker, Task Run)> _workers = new();
    private readonly HashSet<string> _deadNodes = [];
    private readonly ControlLoop _loop;
    private readonly string _ipPrefix = $"127.{Random.Shared.Next(10, 250)}.{Random.Shared.Next(1, 250)}";
    private readonly Action<Exception> _failed;
    private int _lastIp;

    public Kubelets(Registry registry, EventLog events, KubeletOptions options, VolumeBinder binder, Authorizer authorizer, string certificate, Action<Exception> failed)
    {
        (_registry, _events, _options, _binder, _authorizer, _certificate) = (registry, events, options, binder, authorizer, certificate);
        _failed = failed;
        _loop = new ControlLoop(registry, Resources.Contains, Reconcile, failed);
    }

    private void Reconcile()
    {
        var pods = _registry.List(BuiltInTypes.Pods).Where(p => p.Text("spec", "nodeName") is not null).ToDictionary(p => p.Uid());
        foreach (var pod in pods.Values)
        {
            lock (_deadNodes)
            {
                if (_deadNodes.Contains(pod.Text("spec", "nodeName")!))
                {
                    continue;
                }
            }
            if (!_workers.TryGetValue(pod.Uid(), out var entry))
            {
                if (pod.At("metadata", "deletionTimestamp") is not null || pod.Text("status", "phase") is "Succeeded" or "Failed")
                {
                    Finish(pod);
                    continue;
                }
                var worker = new PodWorker(_registry, _events, _options, _binder, pod, NextIp(),
                    () => _authorizer.Issue(pod.Namespace(), pod.Text("spec", "serviceAccountName") ?? "default"), _certificate, _failed);
                NameFiles.Write(Path.Combine(worker.EtcFolder, "hosts"), NameFiles.Hosts(_registry, pod, worker.Ip));
                entry = (worker, Task.Run(() => RunAsync(worker)));
                _workers[pod.Uid()] = entry;
            }
            entry.Worker.Update(pod);
            if (pod.At("metadata", "deletionTimestamp") is not null)
            {
                entry.Worker.Stop(pod.Integer("metadata", "deletionGracePeriodSeconds") ?? 30);
            }
            if (entry.Run.IsCompleted)
            {
                Finish(pod);
            }
        }
        foreach (var (uid, entry) in _workers)
        {
            if (!pods.ContainsKey(uid))
            {
                entry.Worker.Stop(0); // removed without grace
                if (entry.Run.IsCompleted && _workers.TryRemove(uid, out _))
                {
                    entry.Worker.DeleteFolder();
                }
                continue;
            }
            NameFiles.Write(Path.Combine(entry.Worker.EtcFolder, "hosts"), NameFiles.Hosts(_registry, entry.Worker.Pod, entry.Worker.Ip));
            entry.Worker.RefreshVolumes();
        }
    }

    private void Finish(JsonObject pod)
    {
        if (pod.At("metadata", "deletionTimestamp") is null)
        {
            return;
        }
        try
        {
            _registry.Delete(BuiltInTypes.Pods, pod.Namespace(), pod.Name(), new DeleteOptions(GracePeriodSeconds: 0, Uid: pod.Uid()));
        }
        catch (ApiException e) when (e.Code is 403 or 404 or 409)
        {
            // gone already
        }
    }

    private async Task RunAsync(PodWorker worker)
    {
        try
        {
            await worker.RunAsync();
        }
        catch (Exception e)
        {
            _failed(e);
        }
        if (_registry.TryGet(BuiltInTypes.Pods, worker.Namespace, worker.Name) is { } pod && pod.Uid() == worker.Uid)
        {
            Finish(pod);
        }
    }

    private string NextIp()
    {
        var n = Interlocked.Increment(ref _lastIp);
        var parts = _ipPrefix.Split('.');
        return $"{parts[0]}.{parts[1]}.{(int.Parse(parts[2]) + (n / 250)) % 256}.{1 + (n % 250)}";
    }

    private PodWorker? Worker(string ns, string name) =>
        _workers.Values.Select(e => e.Worker).FirstOrDefault(w => w.Namespace == ns && w.Name == name && !w.KillRequested.Task.IsCompleted);

    public string? Log(string ns, string name, string? container, bool previous) => Worker(ns, name)?.Log(container, previous);

    /// <summary>SIGKILL of a pod's processes; its restart policy decides what follows.</summary>
    public void Kill(string ns, string name) => (Worker(ns, name) ?? throw new InvalidOperationException($"pod {ns}/{name} does not run here")).Kill(false);

    /// <summary>A node loses power: all its processes die at once and nothing more is heard of it.</summary>
    public void KillNode(string node)
    {
        lock (_deadNodes)
        {
            _deadNodes.Add(node);
        }
        foreach (var (worker, _) in _workers.Values.Where(e => e.Worker.Pod.Text("spec", "nodeName") == node))
        {
            worker.Kill(true);
        }
        // What the node lifecycle controller does after its grace period, at once.
        var live = _registry.Get(BuiltInTypes.Nodes, "", node);
        _registry.SetStatus(BuiltInTypes.Nodes, "", node, live.Uid(), "node-controller", status =>
        {
            status["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "Unknown", ["reason"] = "NodeStatusUnknown", ["message"] = "Kubelet stopped posting node status.", ["lastTransitionTime"] = ManagedFields.Now() });
            return status;
        });
        var tainted = _registry.Get(BuiltInTypes.Nodes, "", node).Clone();
        tainted.Child("spec")["taints"] = new JsonArray(
            new JsonObject { ["key"] = "node.kubernetes.io/unreachable", ["effect"] = "NoSchedule" },
            new JsonObject { ["key"] = "node.kubernetes.io/unreachable", ["effect"] = "NoExecute" });
        _registry.Update(BuiltInTypes.Nodes, "", node, tainted, "", new WriteOptions("node-controller"));
        foreach (var pod in _registry.List(BuiltInTypes.Pods).Where(p => p.Text("spec", "nodeName") == node))
        {
            _registry.SetStatus(BuiltInTypes.Pods, pod.Namespace(), pod.Name(), pod.Uid(), "node-controller", status =>
            {
                foreach (var condition in status.Objects("conditions").Where(c => c.Text("type") == "Ready"))
                {
                    condition["status"] = "False";
                    condition["reason"] = "NodeNotReady";
                }
                return status;
            });
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _loop.DisposeAsync();
        foreach (var (worker, _) in _workers.Values)
        {
            worker.Kill(true);
            worker.Stop(0);
        }
        await Task.WhenAll(_workers.Values.Select(e => e.Run)).WaitAsync(TimeSpan.FromSeconds(10));
    }
}
