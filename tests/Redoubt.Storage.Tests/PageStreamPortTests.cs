using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Storage.Tests;

/// <summary>Page streams over raw sockets: answers, refusals, what is wrong, and traces.</summary>
public sealed class PageStreamPortTests
{
    private const ulong Epoch = 1;
    private static readonly RelFileLocator Table = new(1663, 5, 16384);

    [Fact]
    public async Task Requests_are_answered_in_turn_however_they_arrive()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await WriteAsync(volume, pages: 3);
        using var socket = Connect(volume);
        byte[] three = Request(1, writer.End, 0, 1, 2), one = Request(2, writer.End, 7), two = Request(3, writer.End, 2, 1);
        foreach (byte b in three)
        {
            socket.Send([b]);
        }

        var (number, status, pages) = Receive(socket);
        Assert.Equal((1u, PageStream.Pages, 3 * PageRedo.PageSize), (number, status, pages.Length));
        Assert.Equal([1, 2, 3], pages.Where((_, i) => i % PageRedo.PageSize == 100));

        socket.Send([.. one, .. two]);
        (number, _, pages) = Receive(socket);
        Assert.Equal(2u, number);
        Assert.True(pages.AsSpan().IndexOfAnyExcept((byte)0) < 0);
        (number, _, pages) = Receive(socket);
        Assert.Equal(3u, number);
        Assert.Equal([3, 2], pages.Where((_, i) => i % PageRedo.PageSize == 100));
    }

    [Fact]
    public async Task What_may_not_be_served_is_refused_with_a_sentence_and_the_stream_goes_on()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await WriteAsync(volume, pages: 1);
        using var socket = Connect(volume);
        socket.Send(Request(1, writer.End, epoch: Epoch + 1, blocks: [0]));
        var (_, status, sentence) = Receive(socket);
        Assert.Equal((PageStream.Refused, true), (status, Encoding.UTF8.GetString(sentence).Contains("epoch", StringComparison.Ordinal)));
        socket.Send(Request(2, writer.End + 800, 0));
        (_, status, sentence) = Receive(socket);
        Assert.Equal((PageStream.Refused, true), (status, sentence.Length > 0));
        socket.Send(Request(3, writer.End, 0));
        Assert.Equal(PageStream.Pages, Receive(socket).Status);

        // Fenced from now on.
        await using var newer = new TestWriter(volume, Epoch + 1);
        await newer.OpenAsync([0], writer.End, writer.End);
        socket.Send(Request(4, writer.End, 0));
        Assert.Equal(PageStream.Refused, Receive(socket).Status);
    }

    [Fact]
    public async Task What_is_no_request_ends_the_stream_and_harms_nobody()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await WriteAsync(volume, pages: 1);
        byte[] good = Request(1, writer.End, 0);
        foreach (int length in new[] { int.MinValue, -1, 0, 53, 54, good.Length - 5, good.Length - 3, int.MaxValue, PageStream.MaxRequest - 4 + PageKey.EncodedLength })
        {
            byte[] bad = [.. good];
            BinaryPrimitives.WriteInt32LittleEndian(bad, length);
            using var socket = Connect(volume);
            socket.Send(bad);
            Assert.Equal(0, socket.Receive(new byte[1]));
        }

        foreach (var hello in new[] { Hello(volume) with { Secret = "wrong" }, Hello(volume) with { Group = 3 }, Hello(volume) with { Volume = "another" } })
        {
            using var socket = Connect(volume, hello);
            Assert.Equal(0, socket.Receive(new byte[1]));
        }

        var random = new Random(7);
        for (int i = 0; i < 50; i++)
        {
            byte[] noise = new byte[random.Next(1, 3000)];
            random.NextBytes(noise);
            using var socket = Connect(volume);
            socket.Send(noise);
        }

        using var after = Connect(volume);
        after.Send(good);
        Assert.Equal(PageStream.Pages, Receive(after).Status);
    }

    [Fact]
    public async Task A_compute_that_is_partitioned_off_gets_nothing()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await WriteAsync(volume, pages: 1);
        using var socket = Connect(volume);
        socket.Send(Request(1, writer.End, 0));
        Assert.Equal(PageStream.Pages, Receive(socket).Status);
        volume.Server(0).Host.Drills.Partitioned = true;
        socket.Send(Request(2, writer.End, 0));
        Assert.Equal(0, socket.Receive(new byte[1]));
    }

    [Fact]
    public async Task The_span_of_a_read_is_a_child_of_the_computes()
    {
        var spans = new System.Collections.Concurrent.ConcurrentQueue<Activity>();
        var parent = new ActivityContext(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded);
        using var listener = new ActivityListener
        {
            ShouldListenTo = s => s.Name == StorageTracing.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await WriteAsync(volume, pages: 1);
        using var socket = Connect(volume);
        socket.Send(Request(1, writer.End, trace: parent, blocks: [0]));
        Receive(socket);
        await TestVolume.Until(() => Task.FromResult(spans.Any(s => s.TraceId == parent.TraceId)), "the read's span");
        var span = spans.First(s => s.TraceId == parent.TraceId);
        Assert.Equal(("storage.get_pages", parent.SpanId), (span.OperationName, span.ParentSpanId));
    }

    private static async Task<TestWriter> WriteAsync(TestVolume volume, int pages)
    {
        var writer = new TestWriter(volume, Epoch);
        await writer.OpenAsync([0]);
        for (uint block = 0; block < pages; block++)
        {
            byte[] record = TestRecords.FullPage(new PageKey(Table, Fork.Main, block), TestRecords.Page((byte)(block + 1)));
            byte[] frame = writer.Frame(record, (ulong)((record.Length + 7) & ~7));
            await writer.SendAsync([0], frame);
            await writer.UntilAcked([0], writer.End);
            await writer.TellDurableAsync(0, writer.End);
        }

        return writer;
    }

    private static StreamHello Hello(TestVolume volume) => new(PageStream.Magic, volume.Volume, 0, Epoch, "");

    private static Socket Connect(TestVolume volume, StreamHello? hello = null)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 30_000 };
        socket.Connect(IPAddress.Loopback, volume.Server(0).GrpcEndpoint.Port);
        socket.Send((hello ?? Hello(volume)).Encode());
        return socket;
    }

    private static byte[] Request(uint number, ulong readPoint, params uint[] blocks) => Request(number, readPoint, blocks, Epoch);

    private static byte[] Request(uint number, ulong readPoint, uint[] blocks, ulong epoch = Epoch, ActivityContext trace = default)
    {
        byte[] bytes = new byte[PageStream.RequestHeaderLength + (blocks.Length * PageKey.EncodedLength)];
        PageStream.WriteRequest(bytes, new PageStreamRequest(number, epoch, readPoint, readPoint, trace), blocks.Length * PageKey.EncodedLength);
        for (int i = 0; i < blocks.Length; i++)
        {
            new PageKey(Table, Fork.Main, blocks[i]).Write(bytes.AsSpan(PageStream.RequestHeaderLength + (i * PageKey.EncodedLength)));
        }

        return bytes;
    }

    private static (uint Number, uint Status, byte[] Body) Receive(Socket socket)
    {
        byte[] header = Exactly(socket, PageStream.ReplyHeaderLength);
        int length = BinaryPrimitives.ReadInt32LittleEndian(header) - (PageStream.ReplyHeaderLength - 4);
        return (BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(4)), BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(8)), Exactly(socket, length));
    }

    private static byte[] Exactly(Socket socket, int length)
    {
        byte[] bytes = new byte[length];
        for (int at = 0; at < length;)
        {
            int n = socket.Receive(bytes.AsSpan(at));
            Assert.NotEqual(0, n);
            at += n;
        }

        return bytes;
    }
}
