using Redoubt.Compute.Configuration;
using Redoubt.Compute.Runtime;

namespace Redoubt.Compute.Tests;

/// <summary>New parameters are noticed without a signal.</summary>
public sealed class ConfigurationWatchTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public async Task New_content_is_reloaded_once_PostgreSQL_runs_and_a_reload_that_failed_is_repeated_ever_more_rarely()
    {
        var status = new AgentStatus();
        int reloads = 0;
        bool succeeds = true;
        var watch = new ConfigurationWatch(Options(), status, _ =>
        {
            reloads++;
            return Task.FromResult(succeeds);
        });
        async Task<int> AfterAsync(int looks)
        {
            for (int i = 0; i < looks; i++)
            {
                await watch.LookAsync(TestContext.Current.CancellationToken);
            }

            return reloads;
        }

        File.WriteAllText(_file, "work_mem = '8MB'\n");
        Assert.Equal(0, await AfterAsync(1));
        status.Set("ready", "");
        Assert.Equal(1, await AfterAsync(1));
        Assert.Equal(1, await AfterAsync(5));

        succeeds = false;
        File.WriteAllText(_file, "secret");
        Assert.Equal(2, await AfterAsync(1));
        Assert.Equal(3, await AfterAsync(1));
        Assert.Equal(4, await AfterAsync(2));
        Assert.Equal(5, await AfterAsync(4));
        succeeds = true;
        Assert.Equal(6, await AfterAsync(8));
        Assert.Equal(6, await AfterAsync(50));
    }

    private ComputeOptions Options() => new()
    {
        Name = "compute", Volume = Guid.Empty.ToString(), DataDir = "/nowhere", HttpListen = "127.0.0.1:0", Shape = Redoubt.Protocol.VolumeShape.ForCopies(1, 1),
        PgVersion = Redoubt.Wal.PgVersion.Pg17, Segments = [], PgBin = "/nowhere", Shim = "/nowhere", Port = 5432, ListenAddresses = "127.0.0.1",
        OsUser = "postgres", CacheSizeMb = 1, LogWindowMb = 4, PageTimeoutMs = 1000, StopTimeoutMs = 1000, ShipmentsInFlight = 1, LeaseMs = 10_000, AppPasswordFile = _file,
    };
}
