using System.Diagnostics;
using System.Text.Json.Nodes;
using Redoubt.TestCluster.Api;
using Redoubt.TestCluster.Kubelet;

namespace Redoubt.TestCluster.Tests;

/// <summary>Pods of the test kubelet are real processes, with the machine's own file system as their image.</summary>
public sealed class KubeletTests : IAsyncLifetime
{
    private static readonly WriteOptions Options = new("test");
    private TestKubernetes _cluster = null!;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(TestKubernetes.CanRunPods, "running pods needs Linux and root");
        _cluster = await TestKubernetes.StartAsync(Path.Combine(Path.GetTempPath(), $"redoubt-kubelet-{Guid.NewGuid():N}"), ["a", "b", "c"]);
        _cluster.Options.Images["host:1"] = Image.Host;
        _cluster.Options.Images["host:2"] = Image.Host;
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
            Assert.Empty(_cluster.Faults);
        }
    }

    private JsonObject Create(string yaml)
    {
        var o = ApiFixture.Manifest(yaml);
        var type = _cluster.Registry.FindKind((string?)o["apiVersion"], (string?)o["kind"])!;
        return _cluster.Registry.Create(type, type.Namespaced ? "default" : "", o, Options);
    }

    private JsonObject? Pod(string name) => _cluster.Registry.TryGet(BuiltInTypes.Pods, "default", name);

    private async Task<T> Eventually<T>(Func<T?> read, FormattableString what, double seconds = 60)
    {
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < TimeSpan.FromSeconds(seconds))
        {
            if (_cluster.Faults is [var fault, ..])
            {
                throw new InvalidOperationException("a fault of the test cluster", fault);
            }
            if (read() is { } value)
            {
                return value;
            }
            await Task.Delay(20);
        }
        throw new TimeoutException($"not within {seconds} s: {what} {State()} {string.Join('\n', _cluster.Faults)}");
    }

    private string State() => string.Join('\n', _cluster.Registry.List(BuiltInTypes.Events, "default").Select(e => $"{e["involvedObject"]!["name"]} {e["count"]} {e["reason"]}: {e["message"]}\n")) + string.Join('\n', _cluster.Registry.List(BuiltInTypes.Pods, "default").Select(p => $"{p["metadata"]!["name"]}: {p["status"]!.ToJsonString()}\n{_cluster.Log("default", (string)p["metadata"]!["name"]!)}"));

    private async Task LogIs(string pod, Func<string, bool> condition) =>
        await Eventually(() => _cluster.Log("default", pod) is { } log && condition(log) ? log : null, $"log of {pod}");

    private Task<JsonObject> PodIs(string pod, Func<JsonObject, bool> condition, double seconds = 60) =>
        Eventually(() => Pod(pod) is { } p && condition(p) ? p : null, $"state of {pod}", seconds);

    private static bool Ready(JsonObject pod) => pod["status"]?["conditions"]?.AsArray().Any(c => (string?)c!["type"] == "Ready" && (string?)c["status"] == "True") is true;

    private static string Unschedulable(JsonObject pod) => (string?)pod["status"]?["conditions"]?[0]?["message"] ?? "";

    private static string Waiting(JsonObject pod) => (string?)pod["status"]?["containerStatuses"]?[0]?["state"]?["waiting"]?["reason"] ?? "";

    private List<string> Events(string name) => [.. _cluster.Registry.List(BuiltInTypes.Events, "default")
        .Where(e => (string?)e["involvedObject"]!["name"] == name).Select(e => $"{e["reason"]}: {e["message"]}")];

    [Fact]
    public async Task A_container_sees_its_user_environment_volumes_and_read_only_root()
    {
        Create("""
            apiVersion: v1
            kind: Secret
            metadata: {name: s}
            stringData: {password: hidden}
            """);
        Create("""
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: c}
            data: {conf: one}
            """);
        Create("""
            apiVersion: v1
            kind: PersistentVolumeClaim
            metadata: {name: data}
            spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
            """);
        Create("""
            apiVersion: v1
            kind: Pod
            metadata: {name: p, labels: {tier: x}}
            spec:
              restartPolicy: Never
              hostname: me
              securityContext: {runAsUser: 10001, runAsGroup: 10001, runAsNonRoot: true, fsGroup: 10001}
              containers:
              - name: c
                image: host:1
                command: [/bin/sh, -c]
                args:
                - |
                  echo "$(id -u):$(id -g) $A $B $IP $HOSTNAME $TIER $$"
                  cat /etc/secret/password /etc/conf/conf; echo
                  touch /x 2>/dev/null && echo writable
                  touch /data/x /scratch/x && echo stored
                  cat /proc/1/cmdline | tr '\0' ' '; echo
                  cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; echo
                  while [ "$(cat /etc/conf/conf)" = one ]; do sleep 0.1; done
                  echo renewed; exit 3
                env:
                - {name: A, value: "a"}
                - {name: B, valueFrom: {secretKeyRef: {name: s, key: password}}}
                - {name: POD, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
                - {name: IP, value: "$(POD):80"}
                - {name: TIER, valueFrom: {fieldRef: {fieldPath: "metadata.labels['tier']"}}}
                securityContext: {readOnlyRootFilesystem: true}
                volumeMounts:
                - {name: s, mountPath: /etc/secret}
                - {name: c, mountPath: /etc/conf}
                - {name: data, mountPath: /data}
                - {name: e, mountPath: /scratch}
              volumes:
              - {name: s, secret: {secretName: s, defaultMode: 288}}
              - {name: c, configMap: {name: c}}
              - {name: data, persistentVolumeClaim: {claimName: data}}
              - {name: e, emptyDir: {}}
            """);
        await LogIs("p", l => l.Contains("default\n"));
        var log = _cluster.Log("default", "p")!;
        var ip = (string)Pod("p")!["status"]!["podIP"]!;
        Assert.Contains($"10001:10001 a hidden {ip}:80 me x $\nhiddenone\nstored\n/bin/sh -c", log);
        Assert.StartsWith("127.", ip);
        var map = (JsonObject)_cluster.Registry.Get(BuiltInTypes.ConfigMaps, "default", "c").DeepClone();
        map["data"]!["conf"] = "two";
        _cluster.Registry.Update(BuiltInTypes.ConfigMaps, "default", "c", map, "", Options);
        await PodIs("p", p => (string?)p["status"]!["phase"] == "Failed");
        Assert.Equal("3", Pod("p")!["status"]!["containerStatuses"]![0]!["state"]!["terminated"]!["exitCode"]!.ToString());
        Assert.EndsWith("renewed\n", _cluster.Log("default", "p"));
    }

    private static string Sleeper(string name, string extra = "", string script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done") => $$"""
        apiVersion: v1
        kind: Pod
        metadata: {name: "{{name}}", labels: {app: "{{name}}" } }
        spec:
          containers:
          - {name: c, image: "host:1", command: [/bin/bash, -c, "{{script}}"]{{extra}} }
        """;

    [Fact]
    public async Task A_deleted_pod_gets_SIGTERM_and_a_killed_one_starts_again()
    {
        Create(Sleeper("p"));
        await PodIs("p", Ready);
        await LogIs("p", l => l == "up\n");
        _cluster.KillPod("default", "p");
        var restarted = await PodIs("p", p => Ready(p) && p["status"]!["containerStatuses"]![0]!["restartCount"]!.ToString() == "1");
        Assert.Equal("137", restarted["status"]!["containerStatuses"]![0]!["lastState"]!["terminated"]!["exitCode"]!.ToString());
        await LogIs("p", l => l == "up\n");
        _cluster.KillPod("default", "p");
        await PodIs("p", p => Waiting(p) == "CrashLoopBackOff");
        Create(Sleeper("q"));
        await LogIs("q", l => l == "up\n");
        _cluster.Registry.Delete(BuiltInTypes.Pods, "default", "q", new DeleteOptions());
        Assert.NotNull(Pod("q")!["metadata"]!["deletionTimestamp"]);
        await Eventually(() => Pod("q") is null ? "gone" : null, $"q is gone");
        await Eventually(() => Events("q").Any(e => e.StartsWith("Killing", StringComparison.Ordinal)) ? "" : null, $"event Killing");
    }

    [Fact]
    public async Task Probes_make_ready_unready_and_restart()
    {
        Create(Sleeper("web", """
            , ports: [{name: http, containerPort: 8080}], env: [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}],
              readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1, failureThreshold: 1}, livenessProbe: {exec: {command: [test, "!", "-e", /tmp/dead]}, periodSeconds: 1, failureThreshold: 1}
            """.ReplaceLineEndings(" "), "cd /tmp && python3 -m http.server 8080 --bind $POD_IP"));
        await PodIs("web", p => (string?)p["status"]!["phase"] == "Running");
        await Eventually(() => Events("web").Any(e => e.Contains("statuscode: 404")) ? "" : null, $"the probe fails with 404");
        Assert.False(Ready(Pod("web")!));
        Create("""
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
            """);
        Create(Sleeper("client", "", "until getent hosts web; do sleep 0.2; done; getent hosts web.default.svc; touch /tmp/x; sleep 1000"));
        Assert.Null(_cluster.Endpoint("default", "web"));
        await NsenterAsync("web", "touch /tmp/ready");
        await PodIs("web", Ready);
        var endpoint = await Eventually(() => _cluster.Endpoint("default", "web")?.ToString(), $"the endpoint");
        Assert.Contains("8080", endpoint);
        await LogIs("client", l => l.Split('\n').Length >= 3 && l.Contains((string)Pod("web")!["status"]!["podIP"]!));
        await NsenterAsync("web", "touch /tmp/dead");
        await PodIs("web", p => p["status"]!["containerStatuses"]![0]!["restartCount"]!.ToString() == "1");
    }

    /// <summary>Runs a command inside the container that listens for the pod's command line.</summary>
    private async Task NsenterAsync(string pod, string command)
    {
        var ip = (string)Pod(pod)!["status"]!["podIP"]!;
        var pid = Directory.GetDirectories("/proc").Select(Path.GetFileName).Where(n => int.TryParse(n, out _))
            .First(p => File.Exists($"/proc/{p}/cmdline") && ReadOrEmpty($"/proc/{p}/cmdline").Contains($"--bind\0{ip}"));
        using var process = Process.Start("/usr/bin/nsenter", ["--target", pid!, "--mount", "--root", "--", "/bin/sh", "-c", command]);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }

    private static string ReadOrEmpty(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (IOException)
        {
            return "";
        }
    }

    [Fact]
    public async Task What_cannot_run_says_why()
    {
        Create(Sleeper("noimage").Replace("host:1", "nowhere/nothing:1"));
        Create(Sleeper("nozone").Replace("spec:", "spec:\n  nodeSelector: {topology.kubernetes.io/zone: z}"));
        Create("""
            apiVersion: v1
            kind: PersistentVolumeClaim
            metadata: {name: lost}
            spec: {accessModes: [ReadWriteOnce], storageClassName: gold, resources: {requests: {storage: 1Gi}}}
            """);
        Create(Sleeper("noclass", ", volumeMounts: [{name: d, mountPath: /d}]") + "\n  volumes: [{name: d, persistentVolumeClaim: {claimName: lost}}]");
        Create(Sleeper("nosecret", ", env: [{name: A, valueFrom: {secretKeyRef: {name: absent, key: k}}}]"));
        await PodIs("noimage", p => Waiting(p) == "ImagePullBackOff");
        await PodIs("nosecret", p => Waiting(p) == "CreateContainerConfigError");
        await PodIs("nozone", p => Unschedulable(p).Contains("3 node(s) didn't match Pod's node affinity/selector"));
        await PodIs("noclass", p => Unschedulable(p).Contains("unbound immediate PersistentVolumeClaims"));
        await Eventually(() => Events("lost").FirstOrDefault(e => e.Contains("storageclass.storage.k8s.io \"gold\" not found")), $"event of the claim");
    }

    [Fact]
    public async Task Pods_spread_claims_are_protected_and_volumes_stay_in_their_zone()
    {
        for (var i = 0; i < 3; i++)
        {
            Create($$"""
                apiVersion: v1
                kind: PersistentVolumeClaim
                metadata: {name: d{{i}}}
                spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi} } }
                """);
            Create(SpreadPod(i));
        }
        for (var i = 0; i < 3; i++)
        {
            await PodIs($"s{i}", Ready);
        }
        var nodes = Enumerable.Range(0, 3).Select(i => (string)Pod($"s{i}")!["spec"]!["nodeName"]!).ToList();
        Assert.Equal(3, nodes.Distinct().Count());
        Create(SpreadPod(3).Replace("d3", "d0"));
        await PodIs("s3", p => Unschedulable(p).Contains("anti-affinity"));
        _cluster.Registry.Delete(BuiltInTypes.Claims, "default", "d1", new DeleteOptions());
        Assert.NotNull(_cluster.Registry.Get(BuiltInTypes.Claims, "default", "d1")["metadata"]!["deletionTimestamp"]); // in use
        _cluster.Registry.Delete(BuiltInTypes.Pods, "default", "s1", new DeleteOptions(GracePeriodSeconds: 1));
        await Eventually(() => _cluster.Registry.TryGet(BuiltInTypes.Claims, "default", "d1") is null ? "gone" : null, $"the claim goes with its pod");
        _cluster.Registry.Delete(BuiltInTypes.Pods, "default", "s3", new DeleteOptions());
        _cluster.Registry.Delete(BuiltInTypes.Pods, "default", "s0", new DeleteOptions(GracePeriodSeconds: 0));
        Create(SpreadPod(0));
        await PodIs("s0", Ready);
        Assert.Equal(nodes[0], (string)Pod("s0")!["spec"]!["nodeName"]!);
        _cluster.KillNode(nodes[2]);
        Assert.False(Ready(Pod("s2")!));
    }

    private static string SpreadPod(int i) => $$"""
        apiVersion: v1
        kind: Pod
        metadata: {name: "s{{i}}", labels: {app: s} }
        spec:
          containers:
          - {name: c, image: "host:1", command: [/bin/sleep, "1000"], volumeMounts: [{name: d, mountPath: /d}]}
          volumes: [{name: d, persistentVolumeClaim: {claimName: "d{{i}}" } }]
          affinity:
            podAntiAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
              - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: s} } }
        """;

    [Fact]
    public async Task Deployments_replace_pods_and_everything_goes_with_its_owner()
    {
        const string Deployment = """
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: d}
            spec:
              replicas: 2
              selector: {matchLabels: {app: d}}
              template:
                metadata: {labels: {app: d}}
                spec: {terminationGracePeriodSeconds: 1, containers: [{name: c, image: "host:1", command: [/bin/sleep, "1000"]}]}
            """;
        Create(Deployment);
        List<JsonObject> Pods() => [.. _cluster.Registry.List(BuiltInTypes.Pods, "default").Where(p => (string?)p["metadata"]!["labels"]?["app"] == "d")];
        await Eventually(() => Pods().Count(Ready) == 2 ? "" : null, $"two pods");
        _cluster.Registry.Apply(BuiltInTypes.Deployments, "default", "d", ApiFixture.Manifest(Deployment.Replace("host:1", "host:2")), "", Options with { Force = true });
        await Eventually(() => Pods() is { Count: 2 } pods && pods.All(p => Ready(p) && (string?)p["spec"]!["containers"]![0]!["image"] == "host:2") ? "" : null, $"two new pods");
        _cluster.Registry.Delete(BuiltInTypes.Deployments, "default", "d", new DeleteOptions());
        await Eventually(() => Pods().Count == 0 && _cluster.Registry.List(BuiltInTypes.ReplicaSets, "default").Count == 0 ? "" : null, $"all gone");
    }
}
