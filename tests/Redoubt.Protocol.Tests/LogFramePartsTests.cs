using CsCheck;
using Redoubt.Wal;

namespace Redoubt.Protocol.Tests;

/// <summary>Records in parts inside frames.</summary>
public sealed class LogFramePartsTests
{
    /// <summary>A stretch of log as entries: whole records and records in parts, however many parts a frame begins or ends inside of.</summary>
    private static readonly Gen<(int[] Parts, int Skip, int Drop)> Logs =
        Gen.Select(Gen.Int[1, 6].Array[1, 20], Gen.Int[0, 5], Gen.Int[0, 5]);

    private readonly record struct Item(LogEntryKind Kind, Lsn PrevEnd, Lsn Start, Lsn End, byte[] Body);

    [Fact]
    public void Parts_come_back_as_they_went_in_wherever_the_frame_begins_and_ends() => Logs.Sample((parts, skip, drop) =>
    {
        var items = Items(parts).Skip(skip).SkipLast(drop).ToArray();
        if (items.Length == 0)
        {
            return;
        }

        var writer = new LogFrameWriter();
        writer.Begin(7, items[0].PrevEnd);
        foreach (var item in items)
        {
            writer.Add(item.Kind, item.Start, item.End, 3, item.Body);
        }

        var frame = LogFrame.Parse(writer.Finish().Span);
        int i = 0;
        foreach (var entry in frame.Entries)
        {
            Assert.Equal((items[i].Kind, items[i].PrevEnd, items[i].Start, items[i].End), (entry.Kind, entry.PrevEnd, entry.Start, entry.End));
            Assert.True(entry.Body.SequenceEqual(items[i].Body));
            i++;
        }

        Assert.Equal(items.Length, i);
    });

    [Fact]
    public void Nothing_comes_between_the_parts_of_a_record()
    {
        var writer = new LogFrameWriter();
        writer.Begin(1, new Lsn(100));
        writer.Add(LogEntryKind.RecordPart, new Lsn(100), new Lsn(200), 1, [1]);
        Assert.Throws<ArgumentException>(() => writer.Add(LogEntryKind.WalRecord, new Lsn(200), new Lsn(300), 1, [1]));
        Assert.Throws<ArgumentException>(() => writer.Add(LogEntryKind.RecordEnd, new Lsn(200), new Lsn(300), 1, [1]));
        Assert.Throws<ArgumentException>(() => writer.Add(LogEntryKind.RecordPart, new Lsn(100), new Lsn(200), 1, [1]));
        writer.Add(LogEntryKind.RecordEnd, new Lsn(100), new Lsn(300), 1, [1]);
        Assert.Throws<ArgumentException>(() => writer.Add(LogEntryKind.RecordEnd, new Lsn(100), new Lsn(400), 1, [1]));
        writer.Add(LogEntryKind.WalRecord, new Lsn(300), new Lsn(400), 1, [1]);
    }

    [Fact]
    public void The_longest_body_fits_an_empty_frame_and_a_longer_one_none()
    {
        var writer = new LogFrameWriter();
        writer.Begin(1, new Lsn(1UL << 60));
        var body = new byte[LogFrame.MaxBodyLength];
        writer.Add(LogEntryKind.RecordPart, new Lsn(8), new Lsn((1UL << 60) + 8), ulong.MaxValue, body);
        Assert.InRange(writer.Finish().Length, LogFrame.MaxBodyLength, LogFrame.MaxLength);
        writer.Begin(1, new Lsn(100));
        Assert.Throws<ArgumentException>(() => writer.Add(LogEntryKind.WalRecord, new Lsn(100), new Lsn(200), 1, new byte[LogFrame.MaxBodyLength + 1]));
    }

    private static IEnumerable<Item> Items(int[] parts)
    {
        Lsn at = new(4096);
        byte fill = 0;
        foreach (int count in parts)
        {
            Lsn start = at + 24;
            for (int part = 1; part <= count; part++)
            {
                Lsn end = (part == 1 ? start : at) + (ulong)(part * 40);
                var kind = count == 1 ? LogEntryKind.WalRecord : part == count ? LogEntryKind.RecordEnd : LogEntryKind.RecordPart;
                yield return new Item(kind, at, start, end, Enumerable.Repeat(fill++, part * 10).ToArray());
                at = end;
            }
        }
    }
}
