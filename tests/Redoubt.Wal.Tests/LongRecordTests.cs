using System.Buffers.Binary;

namespace Redoubt.Wal.Tests;

/// <summary>Cutting long records to their beginning.</summary>
public sealed class LongRecordTests
{
    [Fact]
    public void A_logical_message_is_cut_behind_its_header_and_still_parses()
    {
        byte[] record = Record(RmgrId.LogicalMessage, info: 0, main: 1 << 20);
        int length = LongRecord.Shorten(new Lsn(8192 + 24), record.AsSpan(0, 4096));
        Assert.InRange(length, WalRecord.HeaderLength, 1024);
        RecordParts.Parse(new WalRecord(new Lsn(8192 + 24), new Lsn(1 << 21), record.AsSpan(0, length)), out RecordParts parts);
        Assert.True(parts.MainData.SequenceEqual(record.AsSpan(length - parts.MainData.Length, parts.MainData.Length)));
        Assert.Equal((uint)length, BinaryPrimitives.ReadUInt32LittleEndian(record));
    }

    [Theory]
    [InlineData(RmgrId.Transaction, 0x00)] // commit
    [InlineData(RmgrId.Transaction, 0x10)] // prepare
    [InlineData(RmgrId.Transaction, 0x20)] // abort
    [InlineData(RmgrId.MultiXact, 0x20)]
    public void What_is_read_to_its_end_is_needed_whole(byte rmgr, byte info)
    {
        byte[] record = Record(rmgr, info, main: 1 << 20), before = [.. record];
        Assert.Equal(0, LongRecord.Shorten(new Lsn(8192 + 24), record));
        Assert.Equal(before, record);
    }

    [Fact]
    public void A_beginning_too_short_to_tell_is_left_as_it_is()
    {
        byte[] record = Record(RmgrId.LogicalMessage, info: 0, main: 1 << 20), before = [.. record];
        for (int length = WalRecord.HeaderLength; length < 200; length++)
        {
            Assert.Equal(0, LongRecord.Shorten(new Lsn(8192 + 24), record.AsSpan(0, length)));
        }

        Assert.Equal(before, record);
    }

    [Fact]
    public void The_position_that_bytes_reach_counts_page_headers_and_ends_where_the_record_does()
    {
        Lsn start = new(WalAddress.SegmentSize - 100);
        Assert.Equal(start + 100, WalAddress.PositionAfter(start, 100));
        Assert.Equal(start + 100 + WalAddress.LongHeaderLength + 1, WalAddress.PositionAfter(start, 101));
        Assert.Equal(WalAddress.RecordEnd(start, 20_000), WalAddress.PositionAfter(start, 20_000));
    }

    private static byte[] Record(byte rmgr, byte info, int main)
    {
        var record = new byte[WalRecord.HeaderLength + 5 + main];
        new Random(1).NextBytes(record.AsSpan(WalRecord.HeaderLength));
        BinaryPrimitives.WriteInt32LittleEndian(record, record.Length);
        record[16] = info;
        record[17] = rmgr;
        record[WalRecord.HeaderLength] = 0xFE;
        BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(WalRecord.HeaderLength + 1), main);
        return record;
    }
}
