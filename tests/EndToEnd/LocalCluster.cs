using System.Diagnostics;
using System.Text;
using k8s;
using Redoubt.TestCluster;
using Redoubt.TestCluster.Kubelet;

namespace Redoubt.EndToEnd;

/// <summary>The test cluster in this process, three nodes in zones a, b, c, with the images that images/rootfs.sh lays out.</summary>
public sealed class LocalCluster : Target
{
    private const string Tag = "0.1.0";
    private readonly TestKubernetes _cluster;

    private LocalCluster(TestKubernetes cluster) => _cluster = cluster;

    /// <inheritdoc />
    public override bool IsTestCluster => true;

    /// <inheritdoc />
    public override Task<(string Storage, string Compute)?> OtherImagesAsync(Database database) =>
        Task.FromResult<(string, string)?>(($"redoubt:{Tag}-again", $"redoubt-compute:{Tag}-pg17-again"));

    /// <summary>Why this machine cannot run the test cluster; null when it can.</summary>
    public static string? Hindrance => TestKubernetes.CanRunPods ? null : "the test kubelet needs Linux, root, unshare and setpriv; set KUBECONFIG to run on a real cluster";

    /// <inheritdoc />
    public override IReadOnlyList<Exception> Faults => _cluster.Faults;

    internal static async Task<LocalCluster> BootAsync()
    {
        var prepared = Environment.GetEnvironmentVariable("REDOUBT_E2E_ROOTFS") is { Length: > 0 } given ? given : null;
        var images = prepared ?? Path.Combine(Repository.Home, "images");
        if (prepared is null)
        {
            var clock = Stopwatch.StartNew();
            Console.WriteLine(await Tool.RunAsync(Path.Combine(Repository.Root, "images", "rootfs.sh"), [images, "17"]));
            Console.WriteLine($"images laid out in {clock.Elapsed.TotalSeconds:0.0} s");
        }
        var folder = Path.Combine(Path.GetTempPath(), $"redoubt-e2e-{Guid.NewGuid():N}");
        var cluster = await TestKubernetes.StartAsync(folder, ["a", "b", "c"], restartBackOff: TimeSpan.FromSeconds(1), longestBackOff: TimeSpan.FromSeconds(4));
        var (storage, compute) = (Image.Load(Path.Combine(images, "redoubt")), Image.Load(Path.Combine(images, "redoubt-compute-pg17")));
        foreach (var suffix in (string[])["", "-again"])
        {
            cluster.Options.Images[$"redoubt:{Tag}{suffix}"] = storage;
            cluster.Options.Images[$"redoubt-compute:{Tag}-pg17{suffix}"] = compute;
        }
        var kubeconfig = Path.Combine(folder, "kubeconfig");
        await File.WriteAllTextAsync(kubeconfig, cluster.Api.Kubeconfig());
        var configuration = KubernetesClientConfiguration.BuildConfigFromConfigFile(new MemoryStream(Encoding.UTF8.GetBytes(cluster.Api.Kubeconfig())));
        return new LocalCluster(cluster) { Client = new Kubernetes(configuration), Kubeconfig = kubeconfig, ImagePrefix = "" };
    }

    /// <inheritdoc />
    public override Task<(string Host, int Port)?> ReachAsync(string ns, string service) => Task.FromResult<(string, int)?>(_cluster.Endpoint(ns, service));

    /// <inheritdoc />
    public override Task KillAsync(string ns, string pod)
    {
        try
        {
            _cluster.KillPod(ns, pod);
        }
        catch (InvalidOperationException)
        {
            // it does not run now
        }
        return Task.CompletedTask;
    }

    /// <inheritdoc />
    public override async Task<bool> ApiIsAwayAsync(TimeSpan time, Func<Task> meanwhile)
    {
        _cluster.Api.Faults.Outage = TestCluster.Api.Outage.Gone;
        try
        {
            await Task.WhenAll(Task.Delay(time), meanwhile());
        }
        finally
        {
            _cluster.Api.Faults.Outage = null;
        }
        return true;
    }

    /// <inheritdoc />
    public override Task<string> LogAsync(string ns, string pod)
    {
        var log = _cluster.Log(ns, pod) ?? "";
        return Task.FromResult(string.Join('\n', log.Split('\n').TakeLast(40)));
    }

    /// <inheritdoc />
    public override async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _cluster.DisposeAsync();
    }
}
