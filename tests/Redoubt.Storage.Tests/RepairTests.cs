using Grpc.Core;
using Redoubt.Protocol.V1;
using Redoubt.Storage.LogFiles;

namespace Redoubt.Storage.Tests;

public sealed class RepairTests
{
    private static readonly int[] All = [0, 1, 2];

    [Fact]
    public async Task A_torn_tail_is_cut_off_and_fetched_again()
    {
        await using var volume = await TestVolume.StartAsync(3);
        ulong end = await WriteAsync(volume, 30);
        await volume.StopAsync(0);
        var (path, offset) = LastFrame(volume, 0);
        Scribble(path, offset + 40, 8);
        await volume.StartAsync(0);
        await TestVolume.Until(async () => (await volume.StateAsync(0)).Scl == end, "the torn frame comes back from peers");
        Assert.Equal(0, volume.Server(0).Host.Segments[0].Metrics.CorruptionFound);
    }

    [Fact]
    public async Task A_bit_flip_in_the_log_is_found_at_start_reported_repaired_and_never_served()
    {
        await using var volume = await TestVolume.StartAsync(3);
        ulong end = await WriteAsync(volume, 30);
        await volume.StopAsync(0);
        var (path, _) = LastFrame(volume, 0);
        Scribble(path, LogFile.HeaderLength + 200, 1);
        await volume.StartAsync(0);
        var metrics = volume.Server(0).Host.Segments[0].Metrics;
        Assert.Equal(1, metrics.CorruptionFound);
        await TestVolume.Until(() => Task.FromResult(metrics.CorruptionRepaired == 1), "repair");
        Assert.Equal(end, (await volume.StateAsync(0)).Scl);
        Assert.Equal(await LogOf(volume, 1), await LogOf(volume, 0));

        // What was repaired is not found again.
        await volume.StopAsync(0);
        await volume.StartAsync(0);
        Assert.Equal(0, volume.Server(0).Host.Segments[0].Metrics.CorruptionFound);
        Assert.Equal(end, (await volume.StateAsync(0)).Scl);
    }

    [Fact]
    public async Task The_scrub_finds_a_bit_flip_while_running()
    {
        await using var volume = await TestVolume.StartAsync(3, change: o => o with { ScrubBytesPerSecond = 1 << 20 });
        ulong end = await WriteAsync(volume, 30);
        var (path, _) = LastFrame(volume, 2);
        Scribble(path, LogFile.HeaderLength + 300, 1);
        var metrics = volume.Server(2).Host.Segments[0].Metrics;
        await TestVolume.Until(() => Task.FromResult(metrics.CorruptionRepaired == 1), "the scrub repairs");
        Assert.Equal(end, (await volume.StateAsync(2)).Scl);
        Assert.Equal(await LogOf(volume, 1), await LogOf(volume, 2));
    }

    [Fact]
    public async Task A_start_reads_the_indexes_of_finished_files_and_the_scrub_reads_the_files_soon_after()
    {
        await using var volume = await TestVolume.StartAsync(3, change: o => o with { LogFileBytes = 1 << 16, StartReadBytes = 1, ScrubBytesPerSecond = 1 << 10 });
        ulong end = await WriteAsync(volume, 800);
        await volume.StopAsync(0);
        string log = Path.Combine(volume.DataDir(0), "group-0", "log");
        string[] indexes = [.. Directory.GetFiles(log, "*.frames").Order(StringComparer.Ordinal)];
        Assert.InRange(indexes.Length, 3, 20);
        string first = Path.ChangeExtension(indexes[0], ".log");
        Scribble(first, LogFile.HeaderLength + 300, 1);
        Scribble(indexes[1], 200, 1);
        File.WriteAllText(Path.Combine(log, "ffffffff.frames"), "of no file");
        await volume.StartAsync(0);
        var metrics = volume.Server(0).Host.Segments[0].Metrics;
        Assert.Equal((0, end), (metrics.CorruptionFound, (await volume.StateAsync(0)).Scl));
        await TestVolume.Until(() => Task.FromResult(metrics.CorruptionRepaired == 1), "the scrub repairs");
        Assert.Equal(end, (await volume.StateAsync(0)).Scl);
        Assert.Equal(await LogOf(volume, 1), await LogOf(volume, 0));
        await volume.StopAsync(0);
        string[] after = [.. Directory.GetFiles(log, "*.frames").Order(StringComparer.Ordinal)];
        Assert.Equal(indexes[1..], after[..(indexes.Length - 1)]);

        await volume.StartAsync(0);
        Assert.Equal((0, end), (volume.Server(0).Host.Segments[0].Metrics.CorruptionFound, (await volume.StateAsync(0)).Scl));
        Assert.Equal(await LogOf(volume, 1), await LogOf(volume, 0));
    }

    [Fact]
    public async Task A_gap_is_filled_by_gossip()
    {
        await using var volume = await TestVolume.StartAsync(3);
        await using var writer = new TestWriter(volume, 1);
        await writer.OpenAsync(All);
        await writer.SendAsync(All, writer.Frame([1]));
        byte[] lost = writer.Frame([2]);
        await writer.SendAsync([0, 1], lost);
        await writer.SendAsync(All, writer.Frame([3]));
        await writer.UntilAcked(All, writer.End);
        Assert.Equal(await LogOf(volume, 0), await LogOf(volume, 2));
    }

    [Fact]
    public async Task A_gap_is_still_known_after_a_restart()
    {
        await using var volume = await TestVolume.StartAsync(3);
        await using var writer = new TestWriter(volume, 1);
        await writer.OpenAsync(All);
        byte[] lost = writer.Frame([2]);
        await volume.StopAsync(1);
        await volume.StopAsync(2);
        await writer.SendAsync(0, writer.Frame([3]));
        await TestVolume.Until(() => Task.FromResult(writer.Reply(0).DurableEnd == writer.End), "the frame beyond the gap is kept");
        Assert.Equal(0UL, writer.Acked(0));
        await volume.StopAsync(0);
        await volume.StartAsync(0);
        await using var again = new TestWriter(volume, 1) { End = 0 };
        await again.ConnectAsync(0);
        await again.SendAsync(0, lost);
        await again.UntilAcked(0, writer.End);
    }

    [Fact]
    public async Task The_stale_suffix_of_an_older_epoch_is_never_served()
    {
        await using var volume = await TestVolume.StartAsync(3);
        await using var first = new TestWriter(volume, 1);
        await first.OpenAsync(All);
        await first.SendAsync(All, first.Frame([1]));
        await first.UntilAcked(All, first.End);
        ulong common = first.End;

        // Only storage-2 gets what follows; then it is away while a new writer truncates and goes on.
        await first.SendAsync(2, first.Frame([66, 66]));
        await first.UntilAcked(2, first.End);
        await volume.StopAsync(2);
        await using var second = new TestWriter(volume, 2);
        await second.OpenAsync([0, 1], above: common, groupEnd: common, history: new Truncation { Epoch = 1 });
        await second.SendAsync([0, 1], second.Frame([77, 77, 77]));
        await second.UntilAcked([0, 1], second.End);

        await volume.StartAsync(2);
        await TestVolume.Until(async () => await volume.StateAsync(2) is { Epoch: 2 } state && state.Scl == second.End, "storage-2 catches up");
        Assert.Equal(await LogOf(volume, 0), await LogOf(volume, 2));
        await volume.StopAsync(2);
        await volume.StartAsync(2);
        Assert.Equal(await LogOf(volume, 0), await LogOf(volume, 2));
    }

    [Fact]
    public async Task A_segment_between_grant_and_truncation_serves_no_page()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = new TestWriter(volume, 1);
        await writer.OpenAsync([0]);
        await writer.SendAsync(0, writer.Frame([1]));
        await writer.UntilAcked(0, writer.End);
        await volume.Client(0).OpenEpochAsync(volume.EpochRequest(2));
        foreach (ulong epoch in new ulong[] { 1, 2 })
        {
            var refused = await Assert.ThrowsAsync<RpcException>(async () => await volume.Client(0).GetPagesAsync(
                new GetPagesRequest { Segment = volume.Id(), Epoch = epoch, ReadPoint = writer.End, CompleteAt = writer.End }));
            Assert.Equal(StatusCode.FailedPrecondition, refused.StatusCode);
        }
    }

    [Fact]
    public async Task A_full_disk_stops_acknowledgements_and_nothing_else()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = new TestWriter(volume, 1);
        await writer.OpenAsync([0]);
        await writer.SendAsync(0, writer.Frame([1]));
        await writer.UntilAcked(0, writer.End);
        ulong before = writer.End;
        volume.Server(0).Host.Segments[0].Log.PretendFull = true;
        volume.Server(0).Host.Drills.Full = true;
        await writer.SendAsync(0, writer.Frame([2]));
        await TestVolume.Until(async () => (await volume.StateAsync(0)).State == "failed", "the segment says so");
        Assert.Contains("space", (await volume.StateAsync(0)).Message, StringComparison.Ordinal);
        Assert.Equal(before, writer.Acked(0));
        await volume.Client(0).GetPagesAsync(new GetPagesRequest { Segment = volume.Id(), Epoch = 1 });
        volume.Server(0).Host.Drills.Full = false;
        volume.Server(0).Host.Segments[0].Log.PretendFull = false;
        await writer.UntilAcked(0, writer.End);
        Assert.Equal("complete", (await volume.StateAsync(0)).State);
    }

    [Fact]
    public async Task Hostile_bytes_get_typed_errors()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using (var writer = new TestWriter(volume, 1))
        {
            await writer.OpenAsync([0]);
        }

        var random = new Random(7);
        for (int i = 0; i < 20; i++)
        {
            byte[] junk = new byte[random.Next(1, 300)];
            random.NextBytes(junk);
            using var call = volume.Client(0).Append();
            await call.RequestStream.WriteAsync(new AppendRequest { Open = new AppendOpen { Segment = volume.Id(), Epoch = 1 } });
            await call.RequestStream.WriteAsync(new AppendRequest { Batch = new AppendBatch { Frame = Google.Protobuf.ByteString.CopyFrom(junk) } });
            var refused = await Assert.ThrowsAsync<RpcException>(async () =>
            {
                while (await call.ResponseStream.MoveNext(CancellationToken.None))
                {
                }
            });
            Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
            var keys = await Assert.ThrowsAsync<RpcException>(async () => await volume.Client(0).GetPagesAsync(
                new GetPagesRequest { Segment = volume.Id(), Epoch = 1, Keys = Google.Protobuf.ByteString.CopyFrom(new byte[18]) }));
            Assert.Equal(StatusCode.InvalidArgument, keys.StatusCode);
        }

        var unknown = await Assert.ThrowsAsync<RpcException>(async () => await volume.Client(0).GetStateAsync(new SegmentId { Volume = "x" }));
        Assert.Equal(StatusCode.NotFound, unknown.StatusCode);
        Assert.Equal("complete", (await volume.StateAsync(0)).State);
    }

    internal static async Task<byte[]> LogOf(TestVolume volume, int index, ulong from = 0)
    {
        var entries = new MemoryStream();
        using var call = volume.Client(index).FetchLog(new FetchLogRequest { Segment = volume.Id(), Epoch = 1, From = from });
        await foreach (var chunk in call.ResponseStream.ReadAllAsync())
        {
            var rest = chunk.Frame.Memory;
            while (rest.Length > 0)
            {
                var frame = Protocol.LogFrame.Parse(rest.Span);
                foreach (var entry in frame.Entries)
                {
                    entries.Write(BitConverter.GetBytes(entry.End.Value));
                    entries.Write(BitConverter.GetBytes(entry.Epoch));
                    entries.Write(entry.Body);
                }

                rest = rest[frame.Bytes.Length..];
            }
        }

        return entries.ToArray();
    }

    private static async Task<ulong> WriteAsync(TestVolume volume, int frames)
    {
        await using var writer = new TestWriter(volume, 1);
        await writer.OpenAsync(All);
        for (int i = 0; i < frames; i++)
        {
            await writer.SendAsync(All, writer.Frame(new byte[100 + i]));
            await writer.UntilAcked(All, writer.End);
        }

        return writer.End;
    }

    private static (string Path, int Offset) LastFrame(TestVolume volume, int index)
    {
        string path = Directory.GetFiles(Path.Combine(volume.DataDir(index), "group-0", "log"), "*.log").Order(StringComparer.Ordinal).First();
        byte[] bytes = new byte[new FileInfo(path).Length];
        using (var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite))
        {
            RandomAccess.Read(handle, bytes, 0);
        }

        int last = 0;
        for (int at = LogFile.HeaderLength; at + LogEnvelope.Length < bytes.Length; at += 8)
        {
            if (LogEnvelope.TryRead(bytes.AsSpan(at), 1, at, out _))
            {
                last = at;
            }
        }

        Assert.NotEqual(0, last);
        return (path, last + LogEnvelope.Length);
    }

    private static void Scribble(string path, long offset, int count)
    {
        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        byte[] bytes = new byte[count];
        RandomAccess.Read(handle, bytes, offset);
        for (int i = 0; i < count; i++)
        {
            bytes[i] ^= 0x55;
        }

        RandomAccess.Write(handle, bytes, offset);
    }
}
