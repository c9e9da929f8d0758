using System.Diagnostics;
using Redoubt.EndToEnd;

[assembly: AssemblyFixture(typeof(InstalledFixture))]

namespace Redoubt.EndToEnd;

/// <summary>The operator installed from the chart, and one cluster of six copies that the tests share; each leaves it whole.</summary>
public sealed class InstalledFixture : IAsyncLifetime
{
    private Database? _standard;
    private string? _broken;
    private Target? _target;

    /// <summary>Where it runs; skips the test where that is nowhere.</summary>
    public Target Target
    {
        get
        {
            Assert.SkipWhen(_target is null, LocalCluster.Hindrance ?? "");
            return _target!;
        }
    }

    /// <summary>Namespace of the databases.</summary>
    public string Namespace { get; } = $"e2e-{Guid.NewGuid().ToString("N")[..6]}";

    /// <inheritdoc />
    public async ValueTask InitializeAsync()
    {
        _target = await Target.StartAsync();
        if (_target is null)
        {
            return;
        }
        await Target.InstallAsync();
        await Target.MakeNamespaceAsync(Namespace);
    }

    /// <summary>The example manifest of six copies, made small, running and whole.</summary>
    /// <exception cref="InvalidOperationException">It could not be made, or an earlier test has left it broken: each test after that would wait in vain.</exception>
    public async Task<Database> StandardAsync()
    {
        if (_broken is not null)
        {
            throw new InvalidOperationException($"not run, as an earlier test has left the cluster broken: {_broken}");
        }
        try
        {
            _standard ??= await MakeStandardAsync();
            await _standard.IsWholeAsync();
            return _standard;
        }
        catch (TimeoutException e)
        {
            _broken = e.Message.Split('\n')[0];
            throw;
        }
    }

    private async Task<Database> MakeStandardAsync()
    {
        var clock = Stopwatch.StartNew();
        var database = new Database(Target, Namespace, "orders");
        var yaml = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "examples", "standard.yaml"));
        yaml = yaml.Replace("requests: {cpu: \"1\", memory: 2Gi}", "requests: {cpu: 50m, memory: 256Mi}").Replace("requests: {cpu: 250m, memory: 512Mi}", "requests: {cpu: 50m, memory: 128Mi}")
            .Replace("size: 20Gi", "size: 1Gi").Replace("cacheSize: 20Gi", "cacheSize: 2Gi").Replace("deletionPolicy: Retain", "deletionPolicy: Delete");
        Assert.Contains("created", await database.ApplyAsync(yaml));
        await database.IsWholeAsync(TimeSpan.FromMinutes(4));
        Console.WriteLine($"six copies, from apply to ready: {clock.Elapsed.TotalSeconds:0.0} s");
        return database;
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (_target is null)
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
