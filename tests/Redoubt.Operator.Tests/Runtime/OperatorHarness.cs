using System.Text;
using System.Text.Json.Nodes;
using k8s;
using Microsoft.Extensions.Logging.Abstractions;
using Redoubt.Operator.Api;
using Redoubt.Operator.Planning;
using Redoubt.Operator.Reconcile;
using Redoubt.Operator.Runtime;
using Redoubt.TestCluster;
using Redoubt.TestCluster.Api;

namespace Redoubt.Operator.Tests.Runtime;

/// <summary>The operator over real HTTP against the test API server, with a <see cref="FakeNode"/> under it.</summary>
internal sealed class OperatorHarness : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);
    private CancellationTokenSource stop = new();
    private Task running = Task.CompletedTask;

    private OperatorHarness(ApiServer server)
    {
        Server = server;
        Node = new FakeNode(server.Registry);
    }

    public ApiServer Server { get; }
    public FakeNode Node { get; }
    public Registry Registry => Server.Registry;
    public OperatorMetrics Metrics { get; private set; } = new(Prometheus.Metrics.NewCustomRegistry());

    public static async Task<OperatorHarness> StartAsync(bool withOperator = true, int nodes = 3, bool withDefinition = true)
    {
        var server = await ApiServer.StartAsync();
        var harness = new OperatorHarness(server);
        if (withDefinition)
        {
            var crd = Yaml.Documents(await File.ReadAllTextAsync(Repository.PathOf("crds", "databaseclusters.redoubt.dev.yaml"))).Single();
            harness.Registry.Create(BuiltInTypes.CustomResourceDefinitions, "", crd, new WriteOptions("test"));
        }

        for (var i = 0; i < nodes; i++)
        {
            harness.Registry.Create(BuiltInTypes.Nodes, "", Yaml.Documents($$"""
                apiVersion: v1
                kind: Node
                metadata: {name: w{{i + 1}}, labels: {topology.kubernetes.io/zone: {{"abc"[i % 3]}} } }
                """).Single(), new WriteOptions("test"));
            var node = harness.Registry.Get(BuiltInTypes.Nodes, "", $"w{i + 1}").Clone();
            node["status"] = new JsonObject { ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True" }) };
            harness.Registry.Store.Put("nodes", node);
        }

        harness.Registry.Create(BuiltInTypes.StorageClasses, "", Yaml.Documents("""
            apiVersion: storage.k8s.io/v1
            kind: StorageClass
            metadata: {name: standard, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
            provisioner: test
            allowVolumeExpansion: true
            """).Single(), new WriteOptions("test"));
        if (withOperator)
        {
            harness.StartOperator();
        }

        return harness;
    }

    /// <summary>Starts an operator process, so to speak.</summary>
    /// <param name="handlers">Put between it and the server.</param>
    public void StartOperator(params DelegatingHandler[] handlers) => StartOperator(Options, handlers);

    /// <inheritdoc cref="StartOperator(DelegatingHandler[])"/>
    public void StartOperator(OperatorOptions options, params DelegatingHandler[] handlers)
    {
        Metrics = new OperatorMetrics(Prometheus.Metrics.NewCustomRegistry());
        var client = Client([.. handlers, new RefusalLog(Refusals)]);
        var controller = new ClusterController(
            options, new KubeApi(client, Metrics), Metrics, TimeProvider.System, NullLoggerFactory.Instance, Node);
        running = Task.WhenAll(running, RunAsync(controller, client, stop.Token));
    }

    /// <summary>Writes that the operator has asked for.</summary>
    public double Writes => Metrics.ApiRequests.GetAllLabelValues().Where(l => l[0] is not ("watch" or "list" or "get")).Sum(l => Metrics.ApiRequests.WithLabels(l).Value);

    public IReadOnlyList<JsonObject> Events(string reason, string ns = "default") => [.. Registry.List(BuiltInTypes.Events, ns).Where(e => e.Text("reason") == reason)];

    public k8s.Models.V1Condition? Condition(string type, string name = "demo") => Cluster(name)?.Status?.Conditions?.FirstOrDefault(c => c.Type == type);

    /// <summary>Makes an object from YAML.</summary>
    public void Create(string yaml)
    {
        var value = Yaml.Documents(yaml).Single();
        Registry.Create(Registry.FindKind(value.Text("apiVersion"), value.Text("kind"))!, value.Namespace(), value, new WriteOptions("test"));
    }

    /// <summary>The operator's bearer token; the administrator's when null.</summary>
    public string? Token { get; set; }

    /// <summary>What the server forbade.</summary>
    public System.Collections.Concurrent.ConcurrentQueue<string> Refusals { get; } = new();

    public static OperatorOptions Options { get; } = new()
    {
        StorageImage = "redoubt:1",
        ComputeImages = new Dictionary<int, string> { [17] = "redoubt-compute:1-pg17", [18] = "redoubt-compute:1-pg18" },
        LeaderElection = false,
    };

    public Kubernetes Client(params DelegatingHandler[] handlers)
    {
        using var yaml = new MemoryStream(Encoding.UTF8.GetBytes(Server.Kubeconfig(Token)));
        return new Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(yaml), handlers);
    }

    public async Task StopOperatorAsync()
    {
        await stop.CancelAsync();
        await running;
        running = Task.CompletedTask;
        stop.Dispose();
        stop = new CancellationTokenSource();
    }

    public Redoubt.TestCluster.Api.ResourceType ClusterType => Registry.FindKind("redoubt.dev/v1alpha1", "DatabaseCluster")!;

    public void Apply(string spec, string name = "demo", string ns = "default") => Registry.Apply(
        ClusterType, ns, name, Yaml.Documents($$"""
            apiVersion: redoubt.dev/v1alpha1
            kind: DatabaseCluster
            metadata: {name: {{name}}}
            spec: {{spec}}
            """).Single(), "", new WriteOptions("user") { Force = true });

    public DatabaseCluster? Cluster(string name = "demo", string ns = "default") =>
        Registry.TryGet(ClusterType, ns, name) is { } found ? KubernetesJson.Deserialize<DatabaseCluster>(found) : null;

    public IReadOnlyList<JsonObject> Pods(string role) =>
        [.. Registry.List(BuiltInTypes.Pods, "default").Where(p => p.Text("metadata", "labels", Names.RoleLabel) == role).OrderBy(p => p.Name(), StringComparer.Ordinal)];

    public static bool Is(DatabaseCluster? cluster, string condition) => cluster?.Status?.Conditions?.Any(c => c.Type == condition && c.Status == "True") == true;

    public Task ReadyAsync(string name = "demo") => UntilAsync(
        () => Cluster(name) is { Status: { Phase: "Ready", Epoch: > 0 } s } c && s.ObservedGeneration == c.Metadata.Generation && Is(c, ConditionTypes.Ready) && !Is(c, ConditionTypes.Progressing),
        () => $"cluster is ready, now: {(Cluster(name)?.Status is { } now ? KubernetesJson.Serialize(now) : "no status")}");

    /// <summary>Waits until something is so; looks after every change in the store.</summary>
    public async Task UntilAsync(Func<bool> condition, Func<string> what)
    {
        using var changes = Registry.Store.Subscribe(null, null);
        using var limit = new CancellationTokenSource(Deadline);
        while (!condition())
        {
            try
            {
                using var look = CancellationTokenSource.CreateLinkedTokenSource(limit.Token);
                look.CancelAfter(TimeSpan.FromMilliseconds(200));
                await changes.Events.WaitToReadAsync(look.Token);
                while (changes.Events.TryRead(out _))
                {
                    // Only that something changed counts.
                }
            }
            catch (OperationCanceledException) when (!limit.IsCancellationRequested)
            {
                // Look again: it may be about something outside the store.
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"Not within {Deadline}: {what()}");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopOperatorAsync();
        await Node.DisposeAsync();
        await Server.DisposeAsync();
        stop.Dispose();
    }

    private static async Task RunAsync(ClusterController controller, Kubernetes client, CancellationToken cancel)
    {
        using (client)
        {
            await controller.RunAsync(cancel);
        }
    }

    private sealed class RefusalLog(System.Collections.Concurrent.ConcurrentQueue<string> refusals) : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var response = await base.SendAsync(request, cancellationToken);
            if (response.StatusCode == System.Net.HttpStatusCode.Forbidden)
            {
                refusals.Enqueue($"{request.Method} {request.RequestUri}");
            }

            return response;
        }
    }
}
