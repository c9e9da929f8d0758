using Redoubt.Compute.Configuration;
using Redoubt.Compute.Runtime;

namespace Redoubt.Compute.Tests;

/// <summary>New parameters are noticed without a signal.</summary>
public sealed class ConfigurationWatchTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public async Task New_content_is_reloaded_once_PostgreSQL_runs_and_the_result_is_asked_once_more()
    {
        var status = new AgentStatus();
        int reloads = 0;
        var watch = new ConfigurationWatch(Options(), status, _ =>
        {
            reloads++;
            return Task.CompletedTask;
        });
        File.WriteAllText(_file, "work_mem = '8MB'\n");
        await watch.LookAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, reloads);

        status.Set("ready", "");
        await watch.LookAsync(TestContext.Current.CancellationToken);
        Assert.Equal(1, reloads);
        await watch.LookAsync(TestContext.Current.CancellationToken);
        Assert.Equal(2, reloads);
        await watch.LookAsync(TestContext.Current.CancellationToken);
        Assert.Equal(2, reloads);
    }

    private ComputeOptions Options() => new()
    {
        Name = "compute", Volume = Guid.Empty.ToString(), DataDir = "/nowhere", HttpListen = "127.0.0.1:0", Shape = Redoubt.Protocol.VolumeShape.ForCopies(1, 1),
        PgVersion = Redoubt.Wal.PgVersion.Pg17, Segments = [], PgBin = "/nowhere", Shim = "/nowhere", Port = 5432, ListenAddresses = "127.0.0.1",
        OsUser = "postgres", CacheSizeMb = 1, LogWindowMb = 4, PageTimeoutMs = 1000, StopTimeoutMs = 1000, LeaseMs = 10_000,
            ShipmentsInFlight = 1, ParametersFile = _file,
    };
}
