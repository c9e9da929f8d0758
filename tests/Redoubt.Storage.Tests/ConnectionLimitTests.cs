using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;
using Redoubt.Protocol;
using Redoubt.Protocol.Sockets;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Hosting;

namespace Redoubt.Storage.Tests;

/// <summary>Whoever knocks, however often, and whatever they say or do not say: those who are served go on being served.</summary>
public sealed class ConnectionLimitTests
{
    private const ulong Epoch = 1;
    private const string Secret = "correct horse";

    [Fact]
    public async Task Two_thousand_silent_connections_keep_neither_a_stream_nor_a_newcomer_out()
    {
        await using var volume = await OpenAsync();
        await using var frames = new TestWriter(volume, Epoch);
        using var stream = RawStream.OpenLog(volume, Epoch);
        int threads = ThreadsNamed("stream");
        var silent = new List<Socket>();
        for (int i = 0; i < 2_000; i++)
        {
            silent.Add(RawStream.Connect(volume));
            if (i % 100 == 0)
            {
                stream.Send(RawStream.Batch(frames.Frame([1])));
                Assert.Equal(frames.End, RawStream.Acked(stream, frames.End));
            }
        }

        Assert.Equal(threads, ThreadsNamed("stream"));
        using var newcomer = RawStream.OpenLog(volume, Epoch);
        newcomer.Send(RawStream.Batch(frames.Frame([2])));
        Assert.Equal(frames.End, RawStream.Acked(newcomer, frames.End));
        Assert.Equal(frames.End, (await volume.StateAsync(0)).Scl);
        await TestVolume.Until(
            () => Task.FromResult(volume.Server(0).Metrics.RefusedFor(Refusals.Crowded) >= 2_000 - 256), "all but 256 are closed");
        silent.ForEach(s => s.Dispose());
    }

    [Fact]
    public async Task Who_does_not_say_who_it_is_in_time_is_closed()
    {
        await using var volume = await OpenAsync(o => o with { HelloTimeout = TimeSpan.FromSeconds(1) });
        byte[] hello = new StreamHello(LogStream.Magic, volume.Volume, 0, Epoch, "").Encode();
        byte[] preface = [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 0, 4, 0, 0, 0, 0, 0];
        byte[][] beginnings = [[], hello[..1], hello[..3], hello[..4], hello[..8], hello[..^1], preface[..2], preface[..10], preface];
        var sockets = beginnings.Select(bytes =>
        {
            var socket = RawStream.Connect(volume, receiveTimeoutMs: 10_000);
            socket.Send(bytes);
            return socket;
        }).ToList();

        // A byte now and then buys no time.
        using var dripping = RawStream.Connect(volume, receiveTimeoutMs: 10_000);
        var drip = Task.Run(async () =>
        {
            try
            {
                foreach (byte b in hello)
                {
                    dripping.Send([b]);
                    await Task.Delay(200);
                }
            }
            catch (SocketException)
            {
                // It was closed.
            }
        });
        foreach (var (socket, bytes) in sockets.Zip(beginnings))
        {
            Assert.True(RawStream.IsClosed(socket), $"after {Convert.ToHexString(bytes)} it stayed open");
            socket.Dispose();
        }

        Assert.True(RawStream.IsClosed(dripping));
        await drip;
        Assert.Equal(beginnings.Length + 1, volume.Server(0).Metrics.RefusedFor(Refusals.Silent));
    }

    [Fact]
    public async Task Where_no_thread_can_be_started_one_connection_is_refused_and_the_others_go_on()
    {
        await using var volume = await OpenAsync();
        await using var frames = new TestWriter(volume, Epoch);
        using var stream = RawStream.OpenLog(volume, Epoch);
        var usual = volume.Server(0).Streams.StartThread;
        volume.Server(0).Streams.StartThread = _ => throw new OutOfMemoryException("Unable to start thread");
        foreach (uint magic in new[] { LogStream.Magic, PageStream.Magic })
        {
            using var refused = RawStream.Connect(volume);
            refused.Send(new StreamHello(magic, volume.Volume, 0, Epoch, "").Encode());
            Assert.True(RawStream.IsClosed(refused));
        }

        Assert.Equal(2, volume.Server(0).Metrics.RefusedFor(Refusals.Thread));
        stream.Send(RawStream.Batch(frames.Frame([1])));
        Assert.Equal(frames.End, RawStream.Acked(stream, frames.End));
        volume.Server(0).Streams.StartThread = usual;
        using var served = RawStream.OpenLog(volume, Epoch);
    }

    [Fact]
    public async Task No_more_connections_are_served_than_may_be_and_one_that_ends_makes_room()
    {
        await using var volume = await OpenAsync(o => o with { MaxConnections = 4 });
        var streams = new List<Socket>();
        while (streams.Count < 3)
        {
            streams.Add(RawStream.OpenLog(volume, Epoch)); // the volume's gRPC channel is the fourth
        }

        using var refused = RawStream.Connect(volume);
        refused.Send(new StreamHello(LogStream.Magic, volume.Volume, 0, Epoch, "").Encode());
        Assert.True(RawStream.IsClosed(refused));
        using var another = GrpcChannel.ForAddress(volume.Server(0).GrpcEndpoint);
        var error = await Assert.ThrowsAsync<RpcException>(async () => await new SegmentService.SegmentServiceClient(another).GetStateAsync(volume.Id()));
        Assert.Equal(StatusCode.ResourceExhausted, error.StatusCode);
        Assert.Equal(2, volume.Server(0).Metrics.RefusedFor(Refusals.Full));
        streams[0].Dispose();
        await TestVolume.Until(() => Task.FromResult(volume.Server(0).Streams.Sockets.Count == 2), "the stream's thread ends");
        using var served = RawStream.OpenLog(volume, Epoch);
        streams.ForEach(s => s.Dispose());
    }

    [Fact]
    public async Task Without_the_secret_nothing_is_served_and_the_connection_does_not_last()
    {
        await using var volume = await TestVolume.StartAsync(1, change: o => o with { HelloTimeout = TimeSpan.FromSeconds(2) }, secret: Secret);
        await using (var writer = new TestWriter(volume, Epoch))
        {
            await writer.GrantAsync(0);
        }

        var channels = new List<GrpcChannel>();
        foreach (string? wrong in new[] { null, "", "wrong", Secret + "x" })
        {
            var channel = GrpcChannel.ForAddress(volume.Server(0).GrpcEndpoint);
            channels.Add(channel);
            var headers = wrong is null ? new Metadata() : new Metadata { { "authorization", "Bearer " + wrong } };
            var client = new SegmentService.SegmentServiceClient(channel);
            var error = await Assert.ThrowsAsync<RpcException>(async () => await client.GetStateAsync(volume.Id(), headers));
            Assert.Equal(StatusCode.Unauthenticated, error.StatusCode);

            // Nor is anything read that such a caller sends.
            error = await Assert.ThrowsAsync<RpcException>(async () => await client.GetPagesAsync(
                new GetPagesRequest { Keys = Google.Protobuf.ByteString.CopyFrom(new byte[3 << 20]) }, headers));
            Assert.Equal(StatusCode.Unauthenticated, error.StatusCode);
        }

        await TestVolume.Until(() => Task.FromResult(volume.Server(0).Metrics.RefusedFor(Refusals.Silent) >= 4), "the connections are closed");
        channels.ForEach(c => c.Dispose());
        using var raw = RawStream.Connect(volume);
        raw.Send(new StreamHello(LogStream.Magic, volume.Volume, 0, Epoch, "wrong").Encode());
        Assert.True(RawStream.IsClosed(raw));
        using var stream = RawStream.OpenLog(volume, Epoch, Secret);
        Assert.Equal(Epoch, (await volume.StateAsync(0)).Epoch); // on the connection that was there all the time
    }

    [Fact]
    public async Task A_log_stream_that_carries_nothing_ends_and_one_with_heartbeats_does_not()
    {
        await using var volume = await OpenAsync(o => o with { LogSilence = TimeSpan.FromSeconds(1) });
        using var silent = RawStream.OpenLog(volume, Epoch);
        using var beating = RawStream.OpenLog(volume, Epoch);
        using var stop = new CancellationTokenSource();
        var beats = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                beating.Send(RawStream.Batch([]));
                await Task.Delay(100);
            }
        });
        Assert.True(RawStream.IsClosed(silent));
        await TestVolume.Until(() => Task.FromResult(volume.Server(0).Streams.Sockets.Count == 1), "one stream is left");
        await stop.CancelAsync();
        await beats;
        await using var frames = new TestWriter(volume, Epoch);
        beating.Send(RawStream.Batch(frames.Frame([1])));
        Assert.Equal(frames.End, RawStream.Acked(beating, frames.End));
    }

    [Fact]
    public async Task A_peer_that_vanishes_without_a_word_is_found_out_by_the_kernel()
    {
        await using var volume = await OpenAsync();
        using var log = RawStream.OpenLog(volume, Epoch);
        using var page = RawStream.Connect(volume);
        page.Send(new StreamHello(PageStream.Magic, volume.Volume, 0, Epoch, "").Encode());
        await TestVolume.Until(() => Task.FromResult(volume.Server(0).Streams.Sockets.Count == 2), "both streams are served");
        foreach (var socket in volume.Server(0).Streams.Sockets)
        {
            await TestVolume.Until(() => Task.FromResult(LivenessOf(socket) == (1, 10, 5, 4, TcpLiveness.DeadAfterSeconds * 1000)), "keepalive is on");
        }
    }

    [Fact]
    public async Task A_crowd_on_the_status_port_hides_no_status()
    {
        await using var volume = await OpenAsync();
        var crowd = Enumerable.Range(0, 500).Select(_ => RawStream.Connect(volume.Server(0).HttpEndpoint.Port)).ToList();
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
        Assert.Contains("storage-0", await http.GetStringAsync(new Uri(volume.Server(0).HttpEndpoint, "status")), StringComparison.Ordinal);
        Assert.Contains("redoubt_storage_connections_refused_total", await http.GetStringAsync(new Uri(volume.Server(0).HttpEndpoint, "metrics")), StringComparison.Ordinal);
        Assert.True(RawStream.IsClosed(crowd[0]));
        crowd.ForEach(s => s.Dispose());
    }

    [Fact]
    public async Task Hostile_bytes_are_refused_on_every_port_and_in_every_format()
    {
        await using var volume = await OpenAsync();
        await using var frames = new TestWriter(volume, Epoch);
        using var stream = RawStream.OpenLog(volume, Epoch);
        byte[] log = new StreamHello(LogStream.Magic, volume.Volume, 0, Epoch, "").Encode();
        byte[] page = new StreamHello(PageStream.Magic, volume.Volume, 0, Epoch, "").Encode();
        byte[] request = new byte[PageStream.RequestHeaderLength + 17];
        PageStream.WriteRequest(request, new PageStreamRequest(1, Epoch, 0, 0, default), 17);
        byte[] batch = RawStream.Batch(new TestWriter(volume, Epoch).Frame([1, 2, 3]));
        byte[] preface = [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8];
        byte[][] seeds = [[], log, page, [.. log, .. batch], [.. page, .. request], preface, [.. "POST /drill/fill HTTP/1.1\r\nHost: x\r\n\r\n"u8]];
        var random = new Random(20261128);
        for (int i = 0; i < 600; i++)
        {
            byte[] bytes = [.. seeds[random.Next(seeds.Length)], .. Noise(random)];
            for (int flips = random.Next(4); flips > 0 && bytes.Length > 0; flips--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            using var socket = RawStream.Connect(random.Next(4) == 0 ? volume.Server(0).HttpEndpoint.Port : volume.Server(0).GrpcEndpoint.Port);
            try
            {
                socket.Send(bytes);
                if (random.Next(2) == 0)
                {
                    socket.Shutdown(SocketShutdown.Send);
                }
            }
            catch (SocketException)
            {
                // It was refused before it had said all.
            }
        }

        ulong before = (await volume.StateAsync(0)).Scl;
        Assert.Contains("storage-0", await new HttpClient().GetStringAsync(new Uri(volume.Server(0).HttpEndpoint, "status")), StringComparison.Ordinal);
        frames.End = before;
        stream.Send(RawStream.Batch(frames.Frame([9])));
        Assert.Equal(frames.End, RawStream.Acked(stream, frames.End));
    }

    [Fact]
    public async Task A_read_does_not_move_the_vdl()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = new TestWriter(volume, Epoch);
        await writer.OpenAsync([0]);
        await writer.SendAsync([0], writer.Frame([1]));
        await writer.UntilAcked([0], writer.End);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        var request = new GetPagesRequest { Segment = volume.Id(), Epoch = Epoch, ReadPoint = writer.End, CompleteAt = writer.End };
        await Assert.ThrowsAsync<RpcException>(async () => await volume.Client(0).GetPagesAsync(request, cancellationToken: patience.Token));
        var state = await volume.StateAsync(0);
        Assert.Equal((0UL, 0UL), (state.Vdl, state.Applied));
        request.ReadPoint = ulong.MaxValue;
        request.CompleteAt = 0;
        await volume.Client(0).GetPagesAsync(request);
        Assert.Equal(0UL, (await volume.StateAsync(0)).Vdl);
    }

    private static byte[] Noise(Random random)
    {
        byte[] noise = new byte[random.Next(random.Next(2) == 0 ? 20 : 3000)];
        random.NextBytes(noise);
        return noise;
    }

    private static int ThreadsNamed(string part) =>
        Directory.EnumerateFiles("/proc/self/task", "comm", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1, AttributesToSkip = 0 })
            .Count(f => File.ReadAllText(f).Contains(part, StringComparison.Ordinal));

    private static (int On, int Time, int Interval, int Count, int UserTimeoutMs) LivenessOf(Socket socket)
    {
        Span<byte> milliseconds = stackalloc byte[4];
        socket.GetRawSocketOption(6, TcpLiveness.UserTimeoutOption, milliseconds);
        return (
            (int)socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive)!,
            (int)socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime)!,
            (int)socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval)!,
            (int)socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount)!,
            BitConverter.ToInt32(milliseconds));
    }

    private static async Task<TestVolume> OpenAsync(Func<StorageOptions, StorageOptions>? change = null)
    {
        var volume = await TestVolume.StartAsync(1, change: change);
        await using var writer = new TestWriter(volume, Epoch);
        await writer.GrantAsync(0);
        return volume;
    }
}
