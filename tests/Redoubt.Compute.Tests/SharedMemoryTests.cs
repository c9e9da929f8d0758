using Redoubt.Compute.Configuration;
using Redoubt.Compute.Postgres;
using Redoubt.Compute.Runtime;

namespace Redoubt.Compute.Tests;

/// <summary>The memory shared with pgshim goes with its agent, or with the next one that starts on the machine.</summary>
public sealed class SharedMemoryTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("redoubt-memory-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void What_a_killed_agent_left_goes_at_the_next_start_and_what_is_in_use_stays()
    {
        string abandoned = Directory.CreateDirectory($"/dev/shm/redoubt-{Guid.NewGuid():N}").FullName;
        File.WriteAllText(Path.Combine(abandoned, "in-use"), string.Empty);
        var first = Files("first");
        first.Prepare();
        var second = Files("second");
        second.Prepare();
        try
        {
            Assert.False(Directory.Exists(abandoned));
            Assert.True(File.Exists(first.LogPage));
            Assert.True(File.Exists(second.LogPage));
        }
        finally
        {
            first.RemoveMemory();
            second.RemoveMemory();
        }

        Assert.False(File.Exists(first.LogPage));
        Assert.False(File.Exists(second.LogPage));
    }

    private ServerFiles Files(string name) => new(
        new ComputeOptions
        {
            Name = name, Volume = Guid.Empty.ToString(), DataDir = Path.Combine(_folder, name), HttpListen = "127.0.0.1:0",
            Shape = Redoubt.Protocol.VolumeShape.ForCopies(1, 1), PgVersion = Redoubt.Wal.PgVersion.Pg17, Segments = [], PgBin = "/nowhere", Shim = "/nowhere",
            Port = 5432, ListenAddresses = "127.0.0.1", OsUser = "postgres", CacheSizeMb = 1, LogWindowMb = 4, PageTimeoutMs = 1000, StopTimeoutMs = 1000,
            ShipmentsInFlight = 1, LeaseMs = 10_000,
        },
        new OsAccount("nobody", 0, 0, MustChange: false));
}
