using System.Diagnostics;
using Redoubt.EndToEnd;

[assembly: AssemblyFixture(typeof(InstalledFixture))]

namespace Redoubt.EndToEnd;

/// <summary>The operator installed from the chart, and one cluster of six copies that the tests share; each leaves it whole.</summary>
public sealed class InstalledFixture : IAsyncLifetime
{
    private Database? _standard;

    /// <summary>Where it runs.</summary>
    public Target Target { get; private set; } = null!;

    /// <summary>Namespace of the databases.</summary>
    public string Namespace { get; } = $"e2e-{Guid.NewGuid().ToString("N")[..6]}";

    /// <inheritdoc />
    public async ValueTask InitializeAsync()
    {
        Target = await Target.StartAsync();
        await Target.InstallAsync();
        await Target.MakeNamespaceAsync(Namespace);
    }

    /// <summary>The example manifest of six copies, made small, running and whole.</summary>
    public async Task<Database> StandardAsync()
    {
        if (_standard is null)
        {
            var clock = Stopwatch.StartNew();
            var database = new Database(Target, Namespace, "orders");
            var yaml = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "examples", "standard.yaml"));
            yaml = yaml.Replace("requests: {cpu: \"1\", memory: 2Gi}", "requests: {cpu: 50m, memory: 256Mi}").Replace("requests: {cpu: 250m, memory: 512Mi}", "requests: {cpu: 50m, memory: 128Mi}")
                .Replace("size: 20Gi", "size: 1Gi").Replace("cacheSize: 20Gi", "cacheSize: 2Gi").Replace("deletionPolicy: Retain", "deletionPolicy: Delete");
            Assert.Contains("created", await database.ApplyAsync(yaml));
            _standard = database;
            await database.IsWholeAsync(TimeSpan.FromMinutes(4));
            Console.WriteLine($"six copies, from apply to ready: {clock.Elapsed.TotalSeconds:0.0} s");
        }
        await _standard.IsWholeAsync();
        return _standard;
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (Target is null)
        {
            return;
        }
        if (!Target.IsTestCluster)
        {
            await Target.KubectlAsync(null, "delete", "namespace", Namespace, "--wait=false");
        }
        await Target.DisposeAsync();
        Assert.Empty(Target.Faults);
    }
}
