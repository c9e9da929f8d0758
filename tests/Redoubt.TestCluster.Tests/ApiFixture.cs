using System.Diagnostics;
using System.Text.Json.Nodes;
using k8s;
using Redoubt.TestCluster.Api;

namespace Redoubt.TestCluster.Tests;

/// <summary>A fresh server, a client of it, and the real kubectl.</summary>
public sealed class ApiFixture : IAsyncDisposable
{
    private readonly string _kubeconfig = Path.GetTempFileName();

    private ApiFixture(ApiServer server)
    {
        Server = server;
        File.WriteAllText(_kubeconfig, server.Kubeconfig());
        Client = ClientWith(server.Authorizer.AdminToken);
    }

    public ApiServer Server { get; }

    public Registry Registry => Server.Registry;

    public Kubernetes Client { get; }

    public static async Task<ApiFixture> StartAsync(bool withCrd = false)
    {
        var fixture = new ApiFixture(await ApiServer.StartAsync());
        if (withCrd)
        {
            var text = await File.ReadAllTextAsync(Path.Combine(RepositoryRoot, "crds", "databaseclusters.redoubt.dev.yaml"));
            fixture.Registry.Create(BuiltInTypes.CustomResourceDefinitions, "", Yaml.Documents(text).Single(), new WriteOptions("test"));
        }
        return fixture;
    }

    public static string RepositoryRoot { get; } = FindRoot();

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Cluster.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("no Cluster.sln above the test");
        }
        return folder;
    }

    public Kubernetes ClientWith(string token)
    {
        var yaml = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(Server.Kubeconfig(token)));
        return new Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(yaml));
    }

    public ResourceType DatabaseClusters => Registry.FindKind("redoubt.dev/v1alpha1", "DatabaseCluster")!;

    /// <summary>Runs the real kubectl.</summary>
    public async Task<(int Exit, string Output)> KubectlAsync(string arguments, string? stdin = null)
    {
        var tools = Path.Combine(Environment.GetEnvironmentVariable("REDOUBT_HOME") ?? Path.Combine(RepositoryRoot, ".redoubt"), "tools");
        var start = new ProcessStartInfo(await KubernetesTools.KubectlAsync(tools), $"--kubeconfig {_kubeconfig} {arguments}")
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = stdin is not null,
        };
        start.Environment["HOME"] = Path.GetDirectoryName(_kubeconfig);
        start.Environment["KUBECACHEDIR"] = _kubeconfig + ".cache";
        using var process = Process.Start(start)!;
        if (stdin is not null)
        {
            await process.StandardInput.WriteAsync(stdin);
            process.StandardInput.Close();
        }
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await errors);
    }

    public static JsonObject Manifest(string yaml) => Yaml.Documents(yaml).Single();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.DisposeAsync();
        File.Delete(_kubeconfig);
        if (Directory.Exists(_kubeconfig + ".cache"))
        {
            Directory.Delete(_kubeconfig + ".cache", true);
        }
    }
}
