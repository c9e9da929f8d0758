using Microsoft.Extensions.Logging.Abstractions;
using Redoubt.Compute.Shipping;
using Redoubt.Compute.Volume;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Tests;

/// <summary>What lets PostgreSQL's flushes go on, seen from the page of memory that pgshim waits on.</summary>
public sealed class FlushGateTests : IDisposable
{
    private const int Durable = 128;
    private readonly string _folder = Directory.CreateTempSubdirectory("redoubt-gate-").FullName;
    private readonly string _file;
    private readonly LogPage _page;
    private readonly CommitTimings _timings = new(Prometheus.Metrics.WithCustomRegistry(Prometheus.Metrics.NewCustomRegistry()));

    public FlushGateTests()
    {
        _file = Path.Combine(_folder, "page");
        File.WriteAllBytes(_file, new byte[LogPage.Length]);
        _page = new LogPage(_file);
    }

    public void Dispose()
    {
        _page.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_flush_goes_on_when_all_that_was_in_the_log_is_durable_and_not_before()
    {
        var gate = new FlushGate(_page, _timings);
        gate.Reach(100);
        gate.Follow(1, new Lsn(100), commits: 0);
        Assert.Equal(1u, DurableWrites());
        gate.Follow(2, new Lsn(200), commits: 1);
        gate.Follow(3, new Lsn(300), commits: 3);
        gate.Follow(4, new Lsn(300), commits: 3); // the rest of a page: no whole record
        Assert.Equal(1u, DurableWrites());
        Assert.Equal(3, gate.Waiting.Commits);
        gate.Reach(299);
        Assert.Equal(2u, DurableWrites());
        Assert.Equal(2, gate.Waiting.Commits);
        gate.Reach(300);
        Assert.Equal(4u, DurableWrites());
        Assert.Equal(default, gate.Waiting);
        gate.Reach(150); // reports may overtake each other
        Assert.Equal(4u, DurableWrites());
    }

    [Fact]
    public async Task Damage_in_the_log_lets_no_flush_go_on_and_ends_the_follower_with_a_sentence()
    {
        var start = new Lsn(0x2000028);
        byte[] segment = new byte[WalAddress.SegmentSize];
        segment.AsSpan(0, 3 * WalAddress.PageSize).Fill(0x5A); // no log
        File.WriteAllBytes(Path.Combine(_folder, WalAddress.SegmentFileName(1, start)), segment);
        var volume = new OpenedVolume(1, new RecoveredEnd(start.Value, 0x1FFFF00, [start.Value]), [[]]);
        await using var writer = new VolumeWriter(volume, VolumeShape.ForCopies(1), [], 4 << 20, 2, _timings, NullLogger.Instance) { LeaseMs = 10_000 };
        var control = ControlState.Blank(PgVersion.Pg17);
        using var follower = new LogFollower(
            _page,
            new LogFiles(_folder, 1),
            writer,
            new RecordRouter(PgVersion.Pg17, new GroupRouter(1), control),
            new FlushGate(_page, _timings),
            new WalStreamReader(PgVersion.Pg17, start, new Lsn(0x1FFFF00)));
        follower.Start();
        using (var file = File.OpenHandle(_file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            RandomAccess.Write(file, BitConverter.GetBytes(0x2000000UL + (3 * WalAddress.PageSize)), 72);
            RandomAccess.Write(file, BitConverter.GetBytes(1), 64);
        }

        var (end, error) = await follower.Ended.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(LogEnd.Broken, end);
        Assert.IsAssignableFrom<WalFormatException>(error);
        Assert.Equal(0u, DurableWrites());
    }

    [Theory]
    [InlineData(new ulong[] { 0, 0, 0, 50, 60, 70 }, 3, 50)]
    [InlineData(new ulong[] { 0, 0, 0, 0, 60, 70 }, 3, 0)]
    [InlineData(new ulong[] { 9 }, 1, 9)]
    [InlineData(new ulong[] { 40, 10, 30 }, 2, 30)]
    public void The_lease_counts_from_what_enough_copies_have_confirmed(ulong[] confirmed, int enough, ulong at) =>
        Assert.Equal(at, VolumeWriter.ConfirmedByEnough(confirmed, enough));

    private uint DurableWrites()
    {
        using var file = File.OpenHandle(_file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        Span<byte> word = stackalloc byte[4];
        RandomAccess.Read(file, word, Durable);
        return BitConverter.ToUInt32(word);
    }
}
