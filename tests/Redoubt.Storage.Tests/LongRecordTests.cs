using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Storage.LogFiles;
using Redoubt.Wal;

namespace Redoubt.Storage.Tests;

/// <summary>Records that travel in parts: stored, filled from peers, cut off, applied.</summary>
public sealed class LongRecordTests
{
    private static readonly int[] All = [0, 1, 2];
    private static readonly RelFileLocator Table = new(1663, 5, 16384);

    [Fact]
    public async Task A_record_of_200_MiB_passes_through_little_memory_and_a_restart_in_its_middle()
    {
        const long Bound = 48 << 20;
        await using var volume = await TestVolume.StartAsync(3, change: o => o with { LogRetentionBytes = 4 << 20 });
        await using var writer = await OpenAsync(volume);
        await SendAsync(writer, All, TestRecords.FullPage(Key(0), TestRecords.Page(1)));
        ulong before = writer.End;
        byte[] record = TestRecords.LogicalMessage(200 << 20);
        await volume.StopAsync(2);
        long baseline = GC.GetTotalMemory(forceFullCollection: true), most = 0;
        int sent = 0;
        foreach (byte[] frame in writer.FramesOfParts(record))
        {
            await writer.SendAsync([0, 1], frame);
            if (++sent % 40 != 0)
            {
                continue;
            }

            await writer.UntilAcked([0, 1], writer.End);
            most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - baseline);
            if (sent == 200)
            {
                await volume.StopAsync(0);
                await volume.StartAsync(0);
                var state = await volume.StateAsync(0);
                Assert.Equal((writer.End, before, before), (state.Scl, state.RecordEnd, state.Applied));
                await writer.ConnectAsync(0);
            }
        }

        await writer.UntilAcked([0, 1], writer.End);
        Assert.Equal(before, (await volume.StateAsync(0)).Applied);

        // A copy that was away gets all of it from its peers.
        await volume.StartAsync(2);
        await writer.ConnectAsync(2);
        writer.Vdl = writer.End;
        await HeartbeatAsync(writer);
        await TestVolume.Until(async () => (await volume.StateAsync(2)).Scl == writer.End, "gossip brings the record");
        most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - baseline);
        foreach (int i in All)
        {
            await TestVolume.Until(async () => (await volume.StateAsync(i)).Applied == writer.End, $"storage-{i} applies");
            var state = await volume.StateAsync(i);
            Assert.Equal((writer.End, before), (state.RecordEnd, state.LastStart));
        }

        most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - baseline);
        await SendAsync(writer, All, TestRecords.FullPage(Key(0), TestRecords.Page(2)));
        await volume.StopAsync(1);
        await volume.StartAsync(1);
        await writer.ConnectAsync(1);
        await HeartbeatAsync(writer);
        await TestVolume.Until(async () => (await volume.StateAsync(1)).Applied == writer.End, "applied again from in front of the first part");
        Assert.Equal(2, (await ReadAsync(volume, writer, Key(0)))[100]);

        await FillFilesAsync(writer, All);
        await volume.UntilTrimmedAsync(All, writer.End);
        foreach (int i in All)
        {
            await TestVolume.Until(async () => (await volume.StateAsync(i)).LogBytes < 40 << 20, "the record's files are gone");
        }

        Assert.True(most < Bound, $"{most >> 20} MiB were held while a record of {record.Length >> 20} MiB passed");
    }

    [Fact]
    public async Task A_log_is_not_trimmed_to_the_inside_of_a_record()
    {
        await using var volume = await TestVolume.StartAsync(1, change: o => o with { LogRetentionBytes = 0 });
        await using var writer = await OpenAsync(volume);
        await SendAsync(writer, [0], TestRecords.FullPage(Key(0), TestRecords.Page(1)));
        ulong before = writer.End;
        foreach (byte[] frame in writer.FramesOfParts(TestRecords.LogicalMessage(5 << 20)))
        {
            await writer.SendAsync(0, frame);
        }

        await writer.UntilAcked(0, writer.End);
        volume.Server(0).Host.Segments[0].FlushNow();
        volume.Server(0).Host.Segments[0].Upkeep();
        Assert.Contains((await volume.StateAsync(0)).LogStart, new ulong[] { 0, before });
        ulong after = writer.End;
        await FillFilesAsync(writer, [0]);
        await volume.UntilTrimmedAsync([0], writer.End);
        Assert.True((await volume.StateAsync(0)).LogStart >= after);
        Assert.Equal(writer.End, (await volume.StateAsync(0)).Scl);
    }

    [Fact]
    public async Task A_gap_inside_a_record_is_filled_by_gossip()
    {
        await using var volume = await TestVolume.StartAsync(3);
        await using var writer = await OpenAsync(volume);
        int part = 0;
        foreach (byte[] frame in writer.FramesOfParts(TestRecords.LogicalMessage(10_000), 1000))
        {
            await writer.SendAsync(part++ is 3 or 4 or 7 ? [0, 1] : All, frame);
        }

        await writer.UntilAcked(All, writer.End);
        writer.Vdl = writer.End;
        await HeartbeatAsync(writer);
        await TestVolume.Until(async () => (await volume.StateAsync(2)).Applied == writer.End, "applied");
    }

    [Fact]
    public async Task A_record_that_was_not_finished_never_happened_after_the_next_writer_opened()
    {
        await using var volume = await TestVolume.StartAsync(3);
        ulong whole;
        await using (var first = await OpenAsync(volume))
        {
            await SendAsync(first, All, TestRecords.FullPage(Key(0), TestRecords.Page(1)));
            whole = first.End;
            byte[][] parts = [.. first.FramesOfParts(TestRecords.LogicalMessage(10_000), 1000).Take(6)];
            foreach (byte[] part in parts)
            {
                await first.SendAsync(All, part);
            }

            await first.UntilAcked(All, first.End);
            var state = await volume.StateAsync(0);
            Assert.Equal((first.End, whole), (state.Scl, state.RecordEnd));
            Assert.True(state.Scl > whole);
        }

        await volume.StopAsync(2);
        await using var second = new TestWriter(volume, 2);
        await second.OpenAsync([0, 1], whole, whole);
        foreach (int i in new[] { 0, 1 })
        {
            var state = await volume.StateAsync(i);
            Assert.Equal((whole, whole), (state.Scl, state.RecordEnd));
        }

        await SendAsync(second, [0, 1], TestRecords.FullPage(Key(0), TestRecords.Page(2)));
        await volume.StartAsync(2);
        await TestVolume.Until(async () => (await volume.StateAsync(2)) is { Epoch: 2 } s && s.Scl == second.End, "the copy that was away drops its parts");
        Assert.Equal(2, (await ReadAsync(volume, second, Key(0)))[100]);
    }

    [Fact]
    public async Task A_commit_of_a_million_subtransactions_and_a_delete_with_a_long_old_tuple_change_their_pages()
    {
        const int Subxids = 1_000_000;
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume);
        var counters = new ImportItemWriter().Control(ControlState.Blank(PgVersion.Pg17).Encode());
        await writer.SendAsync(0, writer.Frame(counters.Span, length: 1, LogEntryKind.Import));
        for (uint page = 0; page <= 31; page++)
        {
            await SendAsync(writer, [0], TestRecords.ZeroCommitLog(page));
        }

        for (ushort item = 1; item <= 2; item++)
        {
            await SendAsync(writer, [0], TestRecords.HeapInsert(Key(1), item, 100));
        }

        byte[] inserted = await ReadAsync(volume, writer, Key(1));
        await SendInPartsAsync(writer, TestRecords.CommitTree(1001, 1002, Subxids));
        await SendInPartsAsync(writer, TestRecords.HeapDelete(Key(1), 2, 3 << 20));
        foreach (uint page in new uint[] { 1, 15, 29 })
        {
            byte[] clog = await ReadAsync(volume, writer, PageKey.Slru(Fork.SlruXact, page));
            Assert.True(clog.AsSpan().IndexOfAnyExcept((byte)0x55) < 0, $"page {page} of the commit log is not all committed");
        }

        byte[] deleted = await ReadAsync(volume, writer, Key(1));
        int tuple = BitConverter.ToUInt16(deleted, 24 + 4) & 0x7FFF;
        Assert.Equal((0u, 1000u), (BitConverter.ToUInt32(inserted, tuple + 4), BitConverter.ToUInt32(deleted, tuple + 4))); // t_xmax

        // From the log alone, once more.
        var request = new GetBootstrapRequest { Segment = volume.Id(), Epoch = 1, ReadPoint = writer.End, CompleteAt = writer.End };
        using var call = volume.Client(0).GetBootstrap(request, cancellationToken: TestContext.Current.CancellationToken);
        Assert.True(await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
        var control = ControlState.Decode(call.ResponseStream.Current.Control.Span);
        Assert.Equal((1001u + Subxids + 1, new Lsn(writer.End)), ((uint)control.NextFullXid, control.Lsn));
    }

    [Fact]
    public void The_longest_frame_fits_the_smallest_log_file() =>
        Assert.True(LogEnvelope.Footprint(LogFrame.MaxLength) <= StorageOptions.MinLogFileBytes - LogFile.HeaderLength);

    [Fact]
    public async Task Longest_frames_one_after_another_are_all_there_after_a_restart()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume);
        for (int i = 0; i < 20; i++)
        {
            await writer.SendAsync(0, writer.Frame(new byte[LogFrame.MaxBodyLength]));
            await writer.SendAsync(0, writer.Frame([1]));
        }

        await writer.UntilAcked(0, writer.End);
        await volume.StopAsync(0);
        await volume.StartAsync(0);
        Assert.Equal(writer.End, (await volume.StateAsync(0)).Scl);
        Assert.Equal(0, volume.Server(0).Host.Segments[0].Metrics.CorruptionFound);
    }

    /// <summary>Log enough that the files before are not written any more.</summary>
    private static async Task FillFilesAsync(TestWriter writer, int[] on)
    {
        for (int i = 0; i < 16; i++)
        {
            await SendAsync(writer, on, TestRecords.LogicalMessage(400 << 10));
        }
    }

    private static PageKey Key(uint block) => new(Table, Fork.Main, block);

    private static async Task<TestWriter> OpenAsync(TestVolume volume)
    {
        var writer = new TestWriter(volume, 1);
        await writer.OpenAsync(Enumerable.Range(0, volume.Shape.Copies));
        return writer;
    }

    private static async Task SendAsync(TestWriter writer, int[] to, byte[] record)
    {
        await writer.SendAsync(to, writer.Frame(record, WalAddress.Align8((ulong)record.Length)));
        await writer.UntilAcked(to, writer.End);
        writer.Vdl = writer.End;
        foreach (int i in to)
        {
            await writer.HeartbeatAsync(i);
        }
    }

    private static async Task SendInPartsAsync(TestWriter writer, byte[] record)
    {
        foreach (byte[] frame in writer.FramesOfParts(record))
        {
            await writer.SendAsync(0, frame);
        }

        await writer.UntilAcked(0, writer.End);
        writer.Vdl = writer.End;
        await writer.HeartbeatAsync(0);
    }

    private static async Task HeartbeatAsync(TestWriter writer)
    {
        foreach (int i in All)
        {
            await writer.HeartbeatAsync(i);
        }
    }

    private static async Task<byte[]> ReadAsync(TestVolume volume, TestWriter writer, PageKey key)
    {
        var bytes = new byte[PageKey.EncodedLength];
        key.Write(bytes);
        var reply = await volume.Client(0).GetPagesAsync(new GetPagesRequest
        {
            Segment = volume.Id(),
            Epoch = writer.Epoch,
            ReadPoint = writer.End,
            CompleteAt = writer.End,
            Keys = Google.Protobuf.ByteString.CopyFrom(bytes),
        });
        return reply.Pages.ToByteArray();
    }
}
