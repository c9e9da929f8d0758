using System.Globalization;
using System.Text.Json.Nodes;
using Redoubt.TestCluster.Api;
using Redoubt.TestCluster.Controllers;
using Redoubt.TestCluster.Kubelet;
using Redoubt.TestCluster.Patching;

namespace Redoubt.TestCluster;

/// <summary>
/// A whole Kubernetes cluster in this process: API server, controllers, scheduler and kubelets that run pods as real local processes.
/// Needs Linux and root (mount and pid namespaces). Everything ends with it.
/// </summary>
public sealed class TestKubernetes : IAsyncDisposable
{
    private readonly List<ControlLoop> _loops = [];
    private readonly Kubelets _kubelets;
    private readonly List<Exception> _faults = [];

    private TestKubernetes(ApiServer api, KubeletOptions options)
    {
        Api = api;
        Options = options;
        var registry = api.Registry;
        var events = new EventLog(registry);
        var binder = new VolumeBinder(registry, events, Path.Combine(options.Folder, "volumes"));
        var scheduler = new Scheduler(registry, events);
        Loop(["persistentvolumeclaims", "persistentvolumes", "pods", "storageclasses.storage.k8s.io"], binder.Reconcile);
        Loop(["pods", "nodes", "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"], scheduler.Reconcile);
        Loop(["deployments.apps", "replicasets.apps", "pods"], () => Workloads.Deployments(registry));
        Loop(["services", "pods"], () => Workloads.Endpoints(registry));
        Loop(["poddisruptionbudgets.policy", "pods"], new DisruptionBudgets(registry, events).Reconcile);
        _loops.Add(new ControlLoop(registry, r => r is not ("leases.coordination.k8s.io" or "events" or "endpoints"), () => GarbageCollector.Reconcile(registry), Failed));
        _kubelets = new Kubelets(registry, events, options, binder, api.Authorizer, api.CertificatePem, Failed);
        api.Frontend.Logs = _kubelets.Log;
    }

    /// <summary>The API server.</summary>
    public ApiServer Api { get; }

    /// <summary>The API without HTTP.</summary>
    public Registry Registry => Api.Registry;

    /// <summary>How pods are run; images may be added at any time.</summary>
    public KubeletOptions Options { get; }

    /// <summary>Faults of the cluster itself (not refusals): a test that ends with any has found a fault of the test cluster.</summary>
    public IReadOnlyList<Exception> Faults
    {
        get
        {
            lock (_faults)
            {
                return [.. _faults];
            }
        }
    }

    /// <summary>Whether this machine can run pods.</summary>
    public static bool CanRunPods => OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess && File.Exists("/usr/bin/unshare") && File.Exists("/usr/bin/setpriv");

    /// <summary>Starts a cluster whose nodes carry the given zones, with a default StorageClass "standard".</summary>
    /// <param name="folder">Where pods and volumes live; made, and removed at the end.</param>
    /// <param name="zones">Zone label of each node.</param>
    /// <param name="restartBackOff">See <see cref="KubeletOptions.RestartBackOff"/>.</param>
    /// <param name="longestBackOff">See <see cref="KubeletOptions.LongestRestartBackOff"/>.</param>
    public static async Task<TestKubernetes> StartAsync(string folder, IReadOnlyList<string> zones, TimeSpan? restartBackOff = null, TimeSpan? longestBackOff = null)
    {
        Directory.CreateDirectory(Path.Combine(folder, "volumes"));
        var api = await ApiServer.StartAsync();
        var options = new KubeletOptions
        {
            Folder = folder,
            RestartBackOff = restartBackOff ?? TimeSpan.FromSeconds(10),
            LongestRestartBackOff = longestBackOff ?? TimeSpan.FromMinutes(5),
            ServiceEnvironment = new Dictionary<string, string>
            {
                ["KUBERNETES_SERVICE_HOST"] = "127.0.0.1", ["KUBERNETES_SERVICE_PORT"] = api.Address.Port.ToString(CultureInfo.InvariantCulture),
            },
        };
        var manager = new WriteOptions("kubelet");
        for (var i = 0; i < zones.Count; i++)
        {
            api.Registry.Create(BuiltInTypes.Nodes, "", Node($"node-{i + 1}", zones[i]), manager);
            var node = api.Registry.Get(BuiltInTypes.Nodes, "", $"node-{i + 1}");
            api.Registry.SetStatus(BuiltInTypes.Nodes, "", node.Name(), node.Uid(), manager.Manager, _ => NodeStatus());
        }
        api.Registry.Create(BuiltInTypes.StorageClasses, "", Yaml.Documents("""
            apiVersion: storage.k8s.io/v1
            kind: StorageClass
            metadata:
              name: standard
              annotations: {storageclass.kubernetes.io/is-default-class: "true"}
            provisioner: redoubt.dev/test-folders
            volumeBindingMode: WaitForFirstConsumer
            allowVolumeExpansion: true
            """)[0], manager);
        return new TestKubernetes(api, options);
    }

    private static JsonObject Node(string name, string zone) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Node",
        ["metadata"] = new JsonObject
        {
            ["name"] = name,
            ["labels"] = new JsonObject
            {
                ["kubernetes.io/hostname"] = name, ["kubernetes.io/os"] = "linux", ["kubernetes.io/arch"] = "amd64", ["topology.kubernetes.io/zone"] = zone, ["topology.kubernetes.io/region"] = "test",
            },
        },
    };

    private static JsonObject NodeStatus() => new()
    {
        ["capacity"] = new JsonObject { ["cpu"] = "8", ["memory"] = "32Gi", ["pods"] = "110" },
        ["allocatable"] = new JsonObject { ["cpu"] = "8", ["memory"] = "32Gi", ["pods"] = "110" },
        ["addresses"] = new JsonArray(new JsonObject { ["type"] = "InternalIP", ["address"] = "127.0.0.1" }),
        ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True", ["reason"] = "KubeletReady", ["message"] = "", ["lastTransitionTime"] = ManagedFields.Now() }),
    };

    private void Loop(HashSet<string> resources, Action reconcile) => _loops.Add(new ControlLoop(Registry, resources.Contains, reconcile, Failed));

    private void Failed(Exception e)
    {
        lock (_faults)
        {
            _faults.Add(e);
        }
    }

    /// <summary>SIGKILL of a running pod's containers.</summary>
    public void KillPod(string ns, string name) => _kubelets.Kill(ns, name);

    /// <summary>A node loses power.</summary>
    public void KillNode(string node) => _kubelets.KillNode(node);

    /// <summary>What a pod's container has written; null when it has not run.</summary>
    public string? Log(string ns, string pod, string? container = null, bool previous = false) => _kubelets.Log(ns, pod, container, previous);

    /// <summary>Address and port of the first ready pod behind a Service; null when there is none.</summary>
    public (string Ip, int Port)? Endpoint(string ns, string service)
    {
        var subset = Registry.TryGet(BuiltInTypes.Endpoints, ns, service).Objects("subsets").FirstOrDefault();
        var ip = subset.Objects("addresses").FirstOrDefault().Text("ip");
        return ip is null ? null : (ip, (int)subset.Objects("ports").First().Integer("port")!);
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await _kubelets.DisposeAsync();
        foreach (var loop in _loops)
        {
            await loop.DisposeAsync();
        }
        await Api.DisposeAsync();
        try
        {
            Directory.Delete(Options.Folder, true);
        }
        catch (IOException)
        {
            // a mount that outlives its namespace for a moment; the folder is temporary
        }
    }
}
