using CsCheck;
using Redoubt.Wal;

namespace Redoubt.Protocol.Tests;

public sealed class LogFrameTests
{
    private readonly record struct Item(ulong Gap, int Length, ulong Mask, byte Fill);

    private static readonly Gen<Item[]> Items =
        Gen.Select(Gen.ULong[0, 1000], Gen.Int[1, 3000], Gen.ULong[0, 7], Gen.Byte, (gap, length, mask, fill) => new Item(gap, length, mask, fill))
            .Array[1, 50];

    private static byte[] Build(Item[] items, ulong epoch, Lsn prevEnd)
    {
        var writer = new LogFrameWriter();
        writer.Begin(epoch, prevEnd);
        Lsn at = prevEnd;
        foreach (var item in items)
        {
            Lsn start = at + item.Gap;
            at = start + (ulong)item.Length;
            writer.Add(LogEntryKind.WalRecord, start, at, item.Mask, Body(item));
        }

        return writer.Finish().ToArray();
    }

    private static byte[] Body(Item item) => Enumerable.Repeat(item.Fill, item.Length).ToArray();

    [Fact]
    public void Entries_come_back_as_they_went_in() => Gen.Select(Items, Gen.ULong[1, 1UL << 40], Gen.ULong[0, 1UL << 50]).Sample((items, epoch, prev) =>
    {
        var frame = LogFrame.Parse(Build(items, epoch, new Lsn(prev)));
        Assert.Equal(epoch, frame.Epoch);
        Assert.Equal(items.Length, frame.Count);
        Lsn at = new(prev);
        int i = 0;
        foreach (var entry in frame.Entries)
        {
            Assert.Equal(at, entry.PrevEnd);
            Assert.Equal(at + items[i].Gap, entry.Start);
            at = entry.Start + (ulong)items[i].Length;
            Assert.Equal(at, entry.End);
            Assert.Equal(items[i].Mask, entry.GroupMask);
            Assert.True(entry.Body.SequenceEqual(Body(items[i])));
            i++;
        }

        Assert.Equal(items.Length, i);
        Assert.Equal(at, frame.End);
    });

    [Fact]
    public void Any_changed_byte_is_found() => Gen.Select(Items, Gen.Int, Gen.Byte[1, 255]).Sample((items, at, xor) =>
    {
        byte[] bytes = Build(items, 3, new Lsn(4096));
        bytes[(uint)at % bytes.Length] ^= xor;
        Assert.ThrowsAny<LogFrameException>(() => { LogFrame.Parse(bytes); });
    });

    [Fact]
    public void Damage_that_a_frame_crc_covers_up_is_found_by_the_entry_crc()
    {
        byte[] bytes = Build([new Item(0, 100, 0, 7)], 3, new Lsn(4096));
        bytes[^1] ^= 1;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), Crc32C.Compute(bytes.AsSpan(12)));
        Assert.Throws<LogFrameException>(() =>
        {
            foreach (var entry in LogFrame.Parse(bytes).Entries)
            {
                _ = entry.End;
            }
        });
    }

    [Fact]
    public void Random_bytes_behind_a_valid_frame_header_are_a_typed_error() => Gen.Byte.Array[40, 400].Sample(bytes =>
    {
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(bytes, 0x464C4452);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), bytes.Length);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), Crc32C.Compute(bytes.AsSpan(12)));
        Assert.ThrowsAny<LogFrameException>(() =>
        {
            foreach (var entry in LogFrame.Parse(bytes).Entries)
            {
                _ = entry.End;
            }
        });
    });

    [Fact]
    public void A_cut_off_frame_is_an_error() => Items.Sample(items =>
    {
        byte[] bytes = Build(items, 3, new Lsn(8));
        Assert.Throws<LogFrameException>(() => { LogFrame.Parse(bytes.AsSpan(0, bytes.Length - 1)); });
    });

    [Fact]
    public void An_entry_that_does_not_follow_is_refused()
    {
        var writer = new LogFrameWriter();
        writer.Begin(1, new Lsn(100));
        Assert.Throws<ArgumentException>(() => writer.Add(LogEntryKind.WalRecord, new Lsn(99), new Lsn(120), 0, [1]));
        Assert.Throws<ArgumentException>(() => writer.Add(LogEntryKind.WalRecord, new Lsn(120), new Lsn(120), 0, [1]));
    }
}
