using System.Text.Json.Nodes;
using Redoubt.TestCluster.Patching;

namespace Redoubt.TestCluster.Kubelet;

/// <summary>One container of a pod over its life: pulls, starts, probes, restarts with back-off, stops.</summary>
internal sealed class ContainerWorker(PodWorker pod, string name, bool isInit)
{
    private readonly CancellationTokenSource _stop = new();
    private ContainerProcess? _process;
    private JsonObject _state = new() { ["waiting"] = new JsonObject { ["reason"] = isInit ? "PodInitializing" : "ContainerCreating" } };
    private JsonObject _lastState = [];
    private string _image = "";
    private int _runs;
    private bool _ready;
    private bool _started;
    private TimeSpan _backOff = TimeSpan.Zero;

    /// <summary>Ended and will not be started again; its exit code.</summary>
    public int? FinalExit { get; private set; }

    /// <summary>Its image in the pod spec now.</summary>
    private JsonObject Container => pod.Pod.Objects("spec", isInit ? "initContainers" : "containers").First(c => c.Text("name") == name);

    public bool IsReady => _ready;

    /// <summary>File with what the newest run, or the one before, wrote.</summary>
    public string? LogFile(bool previous) => _runs - (previous ? 1 : 0) is > 0 and var run ? pod.LogFile(name, run) : null;

    public JsonObject Status()
    {
        var container = Container;
        return new JsonObject
        {
            ["name"] = name, ["image"] = container.Text("image"), ["imageID"] = _runs > 0 ? $"test://{_image}" : "", ["containerID"] = _runs > 0 ? $"test://{pod.Uid}/{name}/{_runs}" : "",
            ["ready"] = _ready, ["started"] = _started, ["restartCount"] = Math.Max(0, _runs - 1), ["state"] = _state.DeepClone(), ["lastState"] = _lastState.DeepClone(),
        };
    }

    public async Task RunAsync()
    {
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                await PullAsync();
                var exit = await RunOnceAsync();
                var policy = pod.Pod.Text("spec", "restartPolicy");
                if (_stop.IsCancellationRequested || policy == "Never" || (exit == 0 && (isInit || policy == "OnFailure")))
                {
                    FinalExit = exit;
                    return;
                }
                if (_backOff > TimeSpan.Zero)
                {
                    _state = Waiting("CrashLoopBackOff", $"back-off {_backOff.TotalSeconds:0}s restarting failed container={name} pod={pod.Name}_{pod.Namespace}");
                    pod.Event("Warning", "BackOff", $"Back-off restarting failed container {name} in pod {pod.Name}");
                    pod.Publish();
                    await Task.Delay(_backOff, _stop.Token);
                }
                _backOff = _backOff == TimeSpan.Zero ? pod.Options.RestartBackOff : TimeSpan.FromTicks(Math.Min(_backOff.Ticks * 2, pod.Options.LongestRestartBackOff.Ticks));
            }
        }
        catch (OperationCanceledException)
        {
            // stopped before or between runs
        }
        FinalExit ??= 137;
    }

    private static JsonObject Waiting(string reason, string message) => new() { ["waiting"] = new JsonObject { ["reason"] = reason, ["message"] = message } };

    private async Task PullAsync()
    {
        var delay = TimeSpan.FromSeconds(1);
        var isFirst = true;
        while (true)
        {
            var image = Container.Text("image") ?? "";
            if (pod.Options.Images.ContainsKey(image))
            {
                if (!isFirst || _image != image)
                {
                    pod.Event("Normal", "Pulled", $"Container image \"{image}\" already present on machine");
                }
                _image = image;
                return;
            }
            var why = $"failed to pull and unpack image \"{image}\": not found";
            if (isFirst)
            {
                pod.Event("Normal", "Pulling", $"Pulling image \"{image}\"");
                pod.Event("Warning", "Failed", $"Failed to pull image \"{image}\": {why}");
            }
            else
            {
                pod.Event("Normal", "BackOff", $"Back-off pulling image \"{image}\"");
            }
            _state = Waiting(isFirst ? "ErrImagePull" : "ImagePullBackOff", isFirst ? why : $"Back-off pulling image \"{image}\": ErrImagePull: {why}");
            pod.Publish();
            isFirst = false;
            await Task.Delay(delay, _stop.Token);
            delay = TimeSpan.FromSeconds(Math.Min(delay.TotalSeconds * 2, 10));
        }
    }

    private async Task<int> RunOnceAsync()
    {
        ContainerProcess process;
        while (true)
        {
            try
            {
                process = await pod.StartAsync(Container, pod.Options.Images[_image], _runs + 1, _stop.Token);
                break;
            }
            catch (SetupException e)
            {
                _state = Waiting(e.Reason, e.Message);
                pod.Event("Warning", "Failed", $"Error: {e.Message}");
                pod.Publish();
                await Task.Delay(500, _stop.Token);
            }
        }
        using (process)
        {
            _runs++;
            var startedAt = DateTime.UtcNow;
            _process = process;
            var container = Container;
            _started = container.Object("startupProbe") is null;
            _ready = _started && container.Object("readinessProbe") is null;
            _state = new JsonObject { ["running"] = new JsonObject { ["startedAt"] = ManagedFields.Now() } };
            pod.Event("Normal", "Started", $"Started container {name}");
            pod.Publish();
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            var probes = isInit ? Task.CompletedTask : ProbesAsync(process, container, ended.Token);
            var exit = await process.WaitAsync();
            await ended.CancelAsync();
            await probes;
            _process = null;
            _ready = false;
            _started = false;
            _state = new JsonObject
            {
                ["terminated"] = new JsonObject
                {
                    ["exitCode"] = exit, ["reason"] = exit == 0 ? "Completed" : "Error", ["startedAt"] = startedAt.ToString("yyyy-MM-ddTHH:mm:ssZ"),
                    ["finishedAt"] = ManagedFields.Now(), ["containerID"] = $"test://{pod.Uid}/{name}/{_runs}",
                },
            };
            _lastState = _state.Clone();
            if (DateTime.UtcNow - startedAt > TimeSpan.FromMinutes(10))
            {
                _backOff = TimeSpan.Zero;
            }
            pod.Publish();
            return exit;
        }
    }

    private async Task ProbesAsync(ContainerProcess process, JsonObject container, CancellationToken cancellation)
    {
        try
        {
            if (container.Object("startupProbe") is { } startup)
            {
                await Loop(startup, "Startup", () => true, () => { }, () => KillUnhealthyAsync(process, "Startup", cancellation), cancellation);
                _started = true;
                _ready = container.Object("readinessProbe") is null;
                pod.Publish();
            }
            var loops = new List<Task>();
            if (container.Object("readinessProbe") is { } readiness)
            {
                loops.Add(Loop(readiness, "Readiness", () => false, () => SetReady(true), () => { SetReady(false); return Task.CompletedTask; }, cancellation));
            }
            if (container.Object("livenessProbe") is { } liveness)
            {
                loops.Add(Loop(liveness, "Liveness", () => false, () => { }, () => KillUnhealthyAsync(process, "Liveness", cancellation), cancellation));
            }
            await Task.WhenAll(loops.Select(async loop =>
            {
                try
                {
                    await loop;
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    pod.Failed(e);
                }
            }));
        }
        catch (OperationCanceledException)
        {
            // the container has ended
        }

        async Task Loop(JsonObject probe, string kind, Func<bool> endsOnSuccess, Action success, Func<Task> failure, CancellationToken stop)
        {
            var (failures, successes) = (0, 0);
            await Task.Delay(TimeSpan.FromSeconds(probe.Integer("initialDelaySeconds") ?? 0), stop);
            var user = ContainerSetup.Identity(pod.Pod, container, pod.Options.Images[_image]).User;
            while (true)
            {
                var fault = await Probe.TryAsync(probe, container, pod.Ip, process.Pid, user, stop);
                if (fault is null)
                {
                    failures = 0;
                    if (++successes >= (probe.Integer("successThreshold") ?? 1))
                    {
                        success();
                        if (endsOnSuccess())
                        {
                            return;
                        }
                    }
                }
                else
                {
                    successes = 0;
                    if (kind != "Startup")
                    {
                        pod.Event("Warning", "Unhealthy", $"{kind} probe failed: {fault}");
                    }
                    if (++failures >= (probe.Integer("failureThreshold") ?? 3))
                    {
                        await failure();
                    }
                }
                await Task.Delay(TimeSpan.FromSeconds(probe.Integer("periodSeconds") ?? 10), stop);
            }
        }
    }

    private void SetReady(bool ready)
    {
        if (_ready != ready)
        {
            _ready = ready;
            pod.Publish();
        }
    }

    private async Task KillUnhealthyAsync(ContainerProcess process, string kind, CancellationToken ended)
    {
        pod.Event("Normal", "Killing", $"Container {name} failed {kind.ToLowerInvariant()} probe, will be restarted");
        process.Signal(15);
        await Task.WhenAny(process.WaitAsync(), Task.Delay(TimeSpan.FromSeconds(pod.Pod.Integer("spec", "terminationGracePeriodSeconds") ?? 30)));
        process.Signal(9);
        await Task.Delay(Timeout.Infinite, ended);
    }

    /// <summary>The pod's spec has a new image: the container is replaced in place.</summary>
    public void ImageChanged()
    {
        if (_process is { } process && Container.Text("image") != _image)
        {
            pod.Event("Normal", "Killing", $"Container {name} definition changed, will be restarted");
            process.Signal(15);
        }
    }

    /// <summary>SIGTERM now, no restart.</summary>
    public void BeginStop()
    {
        _stop.Cancel();
        _process?.Signal(15);
    }

    /// <summary>SIGKILL of the container's first process; the restart policy decides what follows.</summary>
    public void Kill() => _process?.Signal(9);
}
