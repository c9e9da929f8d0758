using System.Diagnostics;
using k8s;
using k8s.Models;

namespace Redoubt.EndToEnd;

/// <summary>The Kubernetes that the suite runs on: the test cluster, or a real one when KUBECONFIG is set.</summary>
public abstract class Target : IAsyncDisposable
{
    /// <summary>Namespace of the operator.</summary>
    public const string OperatorNamespace = "redoubt-system";

    /// <summary>A client with an administrator's rights.</summary>
    public required Kubernetes Client { get; init; }

    /// <summary>Configuration file for kubectl and helm.</summary>
    public required string Kubeconfig { get; init; }

    /// <summary>Put before every image name.</summary>
    public required string ImagePrefix { get; init; }

    /// <summary>Where the pods run is known and controlled: tight time limits hold.</summary>
    public abstract bool IsTestCluster { get; }

    /// <summary>Images to upgrade a running database to: other names of the same content, or another version; null when there are none.</summary>
    public abstract Task<(string Storage, string Compute)?> OtherImagesAsync(Database database);

    /// <summary>Host and port on this machine that lead to the ready pod behind a Service; null when there is none now.</summary>
    public abstract Task<(string Host, int Port)?> ReachAsync(string ns, string service);

    /// <summary>SIGKILL of a pod's processes; where that cannot be done from outside, a delete without grace.</summary>
    public virtual async Task KillAsync(string ns, string pod)
    {
        try
        {
            await Client.DeleteNamespacedPodAsync(pod, ns, gracePeriodSeconds: 0);
        }
        catch (k8s.Autorest.HttpOperationException e) when (e.Response.StatusCode == System.Net.HttpStatusCode.NotFound)
        {
            // something else ended it first
        }
    }

    /// <summary>Takes the API server away for a while; false where that cannot be done.</summary>
    public virtual Task<bool> ApiIsAwayAsync(TimeSpan time, Func<Task> meanwhile) => Task.FromResult(false);

    /// <summary>Faults of the test cluster itself.</summary>
    public virtual IReadOnlyList<Exception> Faults => [];

    /// <summary>Log of a pod, for the message of a test that fails.</summary>
    public virtual async Task<string> LogAsync(string ns, string pod) => await KubectlAsync(null, "-n", ns, "logs", pod, "--tail=40");

    /// <summary>Runs kubectl; the output even when it fails.</summary>
    public async Task<string> KubectlAsync(string? stdin, params string[] arguments) =>
        await Tool.RunAsync(await Tool.KubectlAsync(), ["--kubeconfig", Kubeconfig, .. arguments], stdin, mayFail: true);

    /// <summary>The target that the environment asks for; null when it asks for the test cluster and this machine cannot run it.</summary>
    public static async Task<Target?> StartAsync() => Environment.GetEnvironmentVariable("KUBECONFIG") is { Length: > 0 } file
        ? RealCluster.Open(file)
        : LocalCluster.Hindrance is null ? await LocalCluster.BootAsync() : null;

    /// <summary>Installs the rendered chart and waits for the operator.</summary>
    public async Task InstallAsync()
    {
        var clock = Stopwatch.StartNew();
        await MakeNamespaceAsync(OperatorNamespace);
        string[] settings = ["--set", $"imagePrefix={ImagePrefix}"];
        var chart = await Tool.RunAsync(await Tool.HelmAsync(),
            ["template", "redoubt", Path.Combine(Repository.Root, "charts", "redoubt"), "--namespace", OperatorNamespace, "--include-crds", .. settings]);
        var output = await KubectlAsync(chart, "apply", "--server-side", "--force-conflicts", "-n", OperatorNamespace, "-f", "-");
        Assert.False(output.Contains("rror"), output);
        await Wait.UntilAsync(async () => (await Client.ListNamespacedPodAsync(OperatorNamespace)).Items.Count(p => p.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true) >= 2,
            TimeSpan.FromMinutes(3), async () => "two ready operator pods; now:\n" + await KubectlAsync(null, "-n", OperatorNamespace, "get", "pods,events"));
        Console.WriteLine($"chart installed and operator ready in {clock.Elapsed.TotalSeconds:0.0} s");
    }

    /// <summary>Makes a namespace that only takes pods of the restricted profile.</summary>
    public async Task MakeNamespaceAsync(string ns)
    {
        var output = await KubectlAsync($$"""
            apiVersion: v1
            kind: Namespace
            metadata:
              name: {{ns}}
              labels: {pod-security.kubernetes.io/enforce: restricted}
            """, "apply", "-f", "-");
        Assert.True(output.Contains("created") || output.Contains("configured") || output.Contains("unchanged"), output);
    }

    /// <summary>Kills every operator pod.</summary>
    public async Task KillOperatorAsync()
    {
        foreach (var pod in (await Client.ListNamespacedPodAsync(OperatorNamespace)).Items)
        {
            await KillAsync(OperatorNamespace, pod.Name());
        }
    }

    /// <inheritdoc />
    public abstract ValueTask DisposeAsync();
}
