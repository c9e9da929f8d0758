using Redoubt.Compute.Shipping;
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
