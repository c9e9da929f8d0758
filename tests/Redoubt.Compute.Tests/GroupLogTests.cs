using Microsoft.Extensions.Logging.Abstractions;
using Redoubt.Compute.Shipping;
using Redoubt.Compute.Volume;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Tests;

public class GroupLogTests
{
    [Fact]
    public void Log_that_no_quorum_has_is_never_dropped_however_full_the_window()
    {
        var log = Filled(10);
        log.Trim(everyoneHas: 0, quorumHas: 300, budget: 0);
        Assert.Equal(3, log.OldestSequence);
        Assert.Equal(400u, log.Peek(3)!.End);
    }

    [Fact]
    public void A_copy_that_comes_back_continues_with_the_first_shipment_it_lacks()
    {
        var log = Filled(10);
        Assert.Equal(0, log.SequenceAfter(0));
        Assert.Equal(4, log.SequenceAfter(400));
        Assert.Equal(4, log.SequenceAfter(450));
        Assert.Equal(10, log.SequenceAfter(1000));
    }

    [Fact]
    public void A_copy_that_fell_behind_what_is_kept_gets_the_oldest_shipment_there_is()
    {
        var log = Filled(10);
        log.Trim(everyoneHas: 500, quorumHas: 500, budget: long.MaxValue);
        long cursor = 2;
        var shipment = log.Take(ref cursor);
        Assert.Equal(5, cursor);
        Assert.Equal(600u, shipment!.End);
        shipment.Release();
        cursor = 10;
        Assert.Null(log.Take(ref cursor));
    }

    [Fact]
    public void A_record_longer_than_the_window_goes_through_it_as_the_quorum_takes_its_parts()
    {
        const int Parts = 400;
        var log = new GroupLog(1, 0);
        var start = new Lsn(100);
        var body = new byte[LogFrame.MaxBodyLength];
        long most = 0;
        for (int i = 1; i <= Parts; i++)
        {
            var end = new Lsn(100 + ((ulong)i * LogFrame.MaxBodyLength));
            Assert.True(log.HasRoomFor(body.Length));
            log.Add(i == Parts ? LogEntryKind.RecordEnd : LogEntryKind.RecordPart, start, end, 1, body, 0);
            log.Ship(0, 0, 0, 0);
            most = Math.Max(most, log.KeptBytes);
            ulong quorum = 100 + ((ulong)Math.Max(0, i - 4) * LogFrame.MaxBodyLength);
            log.Trim(everyoneHas: 0, quorumHas: quorum, budget: 1 << 20);
            Assert.True(log.OldestSequence <= Math.Max(0, i - 4), "log that no quorum has is gone");
        }

        Assert.InRange(most, 1 << 20, 4 << 20);
    }

    [Fact]
    public async Task Nothing_comes_between_the_parts_of_a_record_and_only_its_last_one_is_a_record_of_the_quorum()
    {
        var volume = new OpenedVolume(1, new RecoveredEnd(0x2000000, 0x1FFFF00, [0x2000000, 0x2000000]), [[], []]);
        await using var writer = new VolumeWriter(volume, VolumeShape.ForCopies(1, 2), [], 4 << 20, 2, new CommitTimings(Prometheus.Metrics.WithCustomRegistry(Prometheus.Metrics.NewCustomRegistry())), NullLogger.Instance) { LeaseMs = 10_000 };
        var start = new Lsn(0x2000028);
        writer.AddPart(start, start + 100, false, new byte[100], 0);
        Assert.Throws<InvalidOperationException>(() => writer.Add(LogEntryKind.WalRecord, start + 100, start + 200, 1, new byte[100], 0));
        Assert.Throws<InvalidOperationException>(() => writer.AddPart(start + 100, start + 200, false, new byte[100], 0));
        writer.AddPart(start, start + 200, true, new byte[100], 0);
        writer.Add(LogEntryKind.WalRecord, start + 200, start + 300, 1, new byte[100], 0);
        Assert.Throws<ArgumentException>(() => writer.AddPart(start + 300, start + 301, false, new byte[LogFrame.MaxBodyLength + 1], 0));
    }

    private static GroupLog Filled(int shipments)
    {
        var log = new GroupLog(1, 0);
        for (int i = 0; i < shipments; i++)
        {
            var end = new Lsn((ulong)(i + 1) * 100);
            log.Add(LogEntryKind.WalRecord, new Lsn(end.Value - 50), end, 1, new byte[64], 0);
            log.Ship(0, 0, 0, 0);
        }

        return log;
    }
}
