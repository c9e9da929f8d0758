using System.Text.Json.Nodes;
using Redoubt.TestCluster.Api;
using Redoubt.TestCluster.Controllers;
using Redoubt.TestCluster.Patching;

namespace Redoubt.TestCluster.Kubelet;

/// <summary>One pod on its node: volumes, init containers, containers, status, graceful end.</summary>
internal sealed class PodWorker
{
    private readonly Registry _registry;
    private readonly EventLog _events;
    private readonly PodVolumes _volumes;
    private readonly string _folder;
    private readonly List<ContainerWorker> _init;
    private readonly List<ContainerWorker> _containers;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource<long> _stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly string _startTime = ManagedFields.Now();
    private bool _initialized;
    private bool _silent;

    public PodWorker(Registry registry, EventLog events, KubeletOptions options, VolumeBinder binder, JsonObject pod, string ip, Func<string> token, string certificate,
        Action<Exception> failed)
    {
        Failed = failed;
        (_registry, _events, Options, Pod, Ip) = (registry, events, options, pod, ip);
        _folder = Path.Combine(options.Folder, "pods", pod.Uid());
        EtcFolder = Path.Combine(_folder, "etc");
        Directory.CreateDirectory(EtcFolder);
        Directory.CreateDirectory(Path.Combine(_folder, "logs"));
        File.WriteAllText(Path.Combine(EtcFolder, "hostname"), (pod.Text("spec", "hostname") ?? pod.Name()) + "\n");
        File.WriteAllText(Path.Combine(EtcFolder, "resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
        File.WriteAllText(Path.Combine(EtcFolder, "hosts"), "127.0.0.1 localhost\n");
        _volumes = new PodVolumes(registry, binder, _folder, ip, token, certificate);
        _init = [.. pod.Objects("spec", "initContainers").Select(c => new ContainerWorker(this, c.Text("name")!, true))];
        _containers = [.. pod.Objects("spec", "containers").Select(c => new ContainerWorker(this, c.Text("name")!, false))];
    }

    public KubeletOptions Options { get; }

    /// <summary>The pod as last seen.</summary>
    public JsonObject Pod { get; private set; }

    public string Ip { get; }

    /// <summary>Told of faults of the kubelet itself.</summary>
    public Action<Exception> Failed { get; }

    public string Uid => Pod.Uid();

    public string Name => Pod.Name();

    public string Namespace => Pod.Namespace();

    /// <summary>hosts, hostname, resolv.conf of the pod.</summary>
    public string EtcFolder { get; }

    public string LogFile(string container, int run) => Path.Combine(_folder, "logs", $"{container}.{run}.log");

    public void Event(string type, string reason, string message) => _events.Write(Pod, type, reason, message, "kubelet");

    public async Task RunAsync()
    {
        Publish();
        var work = WorkAsync();
        await Task.WhenAny(work, _stopRequested.Task);
        if (_stopRequested.Task.IsCompleted)
        {
            var grace = TimeSpan.FromSeconds(await _stopRequested.Task);
            await _stop.CancelAsync();
            var all = _containers.Concat(_init).ToList();
            if (grace > TimeSpan.Zero)
            {
                foreach (var container in all)
                {
                    container.BeginStop();
                }
                await Task.WhenAny(work, Task.Delay(grace), KillRequested.Task);
            }
            foreach (var container in all)
            {
                container.BeginStop();
                container.Kill();
            }
        }
        await work;
        Publish();
    }

    /// <summary>A second delete with a shorter grace period.</summary>
    public TaskCompletionSource KillRequested { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task WorkAsync()
    {
        try
        {
            while (true)
            {
                try
                {
                    _volumes.Prepare(Pod);
                    break;
                }
                catch (SetupException e)
                {
                    Event("Warning", "FailedMount", e.Message);
                    await Task.Delay(500, _stop.Token);
                }
            }
            foreach (var init in _init)
            {
                await init.RunAsync();
                if (init.FinalExit != 0)
                {
                    return;
                }
            }
            _initialized = true;
            await Task.WhenAll(_containers.Select(c => c.RunAsync()));
        }
        catch (OperationCanceledException)
        {
            // stopped before its volumes were there
        }
    }

    public async Task<ContainerProcess> StartAsync(JsonObject container, Image image, int run, CancellationToken cancellation)
    {
        var folder = Path.Combine(_folder, "runs", $"{container.Text("name")}.{run}");
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, true);
        }
        Directory.CreateDirectory(folder);
        _volumes.Prepare(Pod);
        var env = ContainerSetup.Environment(_registry, Pod, container, image, Ip, Options.ServiceEnvironment);
        var (user, group, groups) = ContainerSetup.Identity(Pod, container, image);
        return await ContainerProcess.StartAsync(new ContainerProcess.Spec(
            folder, EtcFolder, LogFile(container.Text("name")!, run), image, ContainerSetup.Command(container, image, env), env, _volumes.Mounts(Pod, container),
            user, group, groups, container.Flag("securityContext", "readOnlyRootFilesystem") is true), cancellation);
    }

    /// <summary>The pod has changed.</summary>
    public void Update(JsonObject pod)
    {
        Pod = pod;
        foreach (var container in _containers)
        {
            container.ImageChanged();
        }
    }

    /// <summary>Renews Secret and ConfigMap volumes.</summary>
    public void RefreshVolumes()
    {
        try
        {
            _volumes.Prepare(Pod);
        }
        catch (Exception e) when (e is SetupException or IOException)
        {
            // what is mounted stays
        }
    }

    /// <summary>Stops the pod: SIGTERM, the grace period, SIGKILL.</summary>
    public void Stop(long graceSeconds)
    {
        if (!_stopRequested.TrySetResult(graceSeconds) && graceSeconds == 0)
        {
            KillRequested.TrySetResult();
        }
        else if (graceSeconds > 0)
        {
            Event("Normal", "Killing", "Stopping container " + string.Join(", ", Pod.Objects("spec", "containers").Select(c => c.Text("name"))));
        }
    }

    /// <summary>SIGKILL of all containers, without a word to the API when the whole node dies.</summary>
    public void Kill(bool withNode)
    {
        _silent |= withNode;
        foreach (var container in _containers.Concat(_init))
        {
            if (withNode)
            {
                container.BeginStop();
            }
            container.Kill();
        }
    }

    public string? Log(string? container, bool previous)
    {
        var index = Pod.Objects("spec", "containers").ToList().FindIndex(c => container is null || c.Text("name") == container);
        var file = index < 0 ? null : _containers[index].LogFile(previous);
        if (file is null || !File.Exists(file))
        {
            return null;
        }
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        return new StreamReader(stream).ReadToEnd();
    }

    public void Publish()
    {
        if (_silent)
        {
            return;
        }
        try
        {
            _registry.SetStatus(BuiltInTypes.Pods, Namespace, Name, Uid, "kubelet", Status);
        }
        catch (ApiException e) when (e.Code is 403 or 404 or 409)
        {
            // the pod is gone
        }
    }

    private JsonObject Status(JsonObject before)
    {
        var ended = _containers.Count > 0 && _containers.All(c => c.FinalExit is not null);
        var initFailed = _init.Any(c => c.FinalExit is { } code && code != 0);
        var running = _containers.Any(c => c.Status().Object("state", "running") is not null || c.LogFile(false) is not null);
        var ready = !ended && _containers.All(c => c.IsReady);
        var status = new JsonObject
        {
            ["phase"] = initFailed ? "Failed" : ended ? _containers.All(c => c.FinalExit == 0) ? "Succeeded" : "Failed" : running ? "Running" : "Pending",
            ["observedGeneration"] = Pod.Integer("metadata", "generation"),
            ["qosClass"] = before.Text("qosClass") ?? "Burstable",
            ["hostIP"] = "127.0.0.1",
            ["hostIPs"] = new JsonArray(new JsonObject { ["ip"] = "127.0.0.1" }),
            ["podIP"] = Ip,
            ["podIPs"] = new JsonArray(new JsonObject { ["ip"] = Ip }),
            ["startTime"] = _startTime,
            ["containerStatuses"] = new JsonArray([.. _containers.Select(c => (JsonNode)c.Status())]),
        };
        if (_init.Count > 0)
        {
            status["initContainerStatuses"] = new JsonArray([.. _init.Select(c => (JsonNode)c.Status())]);
        }
        status["conditions"] = new JsonArray(
            Condition(before, "PodScheduled", true, null),
            Condition(before, "Initialized", _initialized || _init.Count == 0, "ContainersNotInitialized"),
            Condition(before, "ContainersReady", ready, "ContainersNotReady"),
            Condition(before, "Ready", ready, ended ? "PodCompleted" : "ContainersNotReady"));
        return status;
    }

    private static JsonObject Condition(JsonObject before, string type, bool holds, string? reason)
    {
        var known = before.Objects("conditions").FirstOrDefault(c => c.Text("type") == type);
        var value = holds ? "True" : "False";
        var condition = new JsonObject
        {
            ["type"] = type, ["status"] = value,
            ["lastTransitionTime"] = known.Text("status") == value ? known.Text("lastTransitionTime") : ManagedFields.Now(),
        };
        if (!holds && reason is not null)
        {
            condition["reason"] = reason;
        }
        return condition;
    }

    public void DeleteFolder()
    {
        try
        {
            Directory.Delete(_folder, true);
        }
        catch (IOException)
        {
            // a mount that the kernel has not let go of yet; the cluster's folder goes as a whole later
        }
    }
}
