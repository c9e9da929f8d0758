using System.Buffers.Binary;
using System.Net.Sockets;
using Redoubt.Protocol;

namespace Redoubt.Storage.Tests;

/// <summary>Log streams and gRPC on one port, over raw sockets: what arrives in pieces, what is wrong, what never speaks.</summary>
public sealed class LogStreamPortTests
{
    private const ulong Epoch = 1;

    [Fact]
    public async Task A_stream_that_arrives_byte_by_byte_is_acknowledged()
    {
        await using var volume = await OpenAsync();
        await using var frames = new TestWriter(volume, Epoch);
        using var socket = RawStream.Connect(volume);
        byte[] message = [.. Hello(volume.Volume, 0, Epoch, ""), .. RawStream.Batch(frames.Frame([1, 2, 3]))];
        foreach (byte b in message)
        {
            socket.Send([b]);
            await Task.Delay(1);
        }

        Assert.Equal(frames.End, await AckedAsync(socket, frames.End));
        Assert.Equal(frames.End, (await volume.StateAsync(0)).Scl);
    }

    [Fact]
    public async Task A_frame_larger_than_the_buffer_and_many_in_one_piece_are_acknowledged()
    {
        await using var volume = await OpenAsync();
        await using var frames = new TestWriter(volume, Epoch);
        using var socket = RawStream.Connect(volume);
        socket.Send(Hello(volume.Volume, 0, Epoch, ""));
        var all = new List<byte>(RawStream.Batch(frames.Frame(new byte[LogFrame.MaxBodyLength], 4 << 20)));
        for (int i = 0; i < 500; i++)
        {
            all.AddRange(RawStream.Batch(frames.Frame(new byte[i])));
        }

        var sending = Task.Run(() => SendAll(socket, all.ToArray()));
        Assert.Equal(frames.End, await AckedAsync(socket, frames.End));
        await sending;
    }

    [Fact]
    public async Task What_is_no_stream_or_a_wrong_one_is_closed_and_harms_nobody()
    {
        await using var volume = await OpenAsync();
        await using var frames = new TestWriter(volume, Epoch);
        byte[] batch = RawStream.Batch(frames.Frame([1]));
        byte[] damaged = [.. batch];
        damaged[^1] ^= 1;
        byte[] huge = [.. batch];
        BinaryPrimitives.WriteInt32LittleEndian(huge, int.MaxValue);
        byte[] negative = [.. batch];
        BinaryPrimitives.WriteInt32LittleEndian(negative, -5);
        byte[] hello = Hello(volume.Volume, 0, Epoch, "");
        byte[] longHello = [.. hello];
        BinaryPrimitives.WriteInt32LittleEndian(longHello.AsSpan(4), int.MaxValue);
        byte[][] wrong =
        [
            [.. "GET / HTTP/1.1\r\n\r\n"u8],
            longHello,
            Hello(volume.Volume, 0, Epoch, "wrong"),
            Hello(volume.Volume, 7, Epoch, ""),
            Hello("another", 0, Epoch, ""),
            Hello(volume.Volume, 0, Epoch + 1, ""),
            [.. hello, .. damaged],
            [.. hello, .. huge],
            [.. hello, .. negative],
        ];
        foreach (byte[] bytes in wrong)
        {
            using var bad = RawStream.Connect(volume);
            bad.Send(bytes);
            Assert.True(await IsClosedAsync(bad), $"{Convert.ToHexString(bytes)} was not refused");
        }

        // Those that say nothing, or not enough, hold up nobody.
        var silent = Enumerable.Range(0, 100).Select(i =>
        {
            var socket = RawStream.Connect(volume);
            socket.Send(Hello(volume.Volume, 0, Epoch, "").AsSpan(0, i % 4));
            return socket;
        }).ToList();
        using var good = RawStream.Connect(volume);
        good.Send([.. hello, .. batch]);
        Assert.Equal(frames.End, await AckedAsync(good, frames.End));
        silent.ForEach(s => s.Dispose());
    }

    [Fact]
    public async Task A_server_stops_while_streams_are_open()
    {
        await using var volume = await OpenAsync();
        using var stream = RawStream.Connect(volume);
        stream.Send(Hello(volume.Volume, 0, Epoch, ""));
        await AckedAsync(stream, 0);
        using var silent = RawStream.Connect(volume);
        await volume.StopAsync(0).WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.True(await IsClosedAsync(stream));
    }

    private static async Task<TestVolume> OpenAsync()
    {
        var volume = await TestVolume.StartAsync(1);
        await using var writer = new TestWriter(volume, Epoch);
        await writer.GrantAsync(0);
        return volume;
    }

    private static byte[] Hello(string volume, int group, ulong epoch, string secret) => new StreamHello(LogStream.Magic, volume, group, epoch, secret).Encode();

    private static void SendAll(Socket socket, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[socket.Send(bytes)..];
        }
    }

    private static Task<ulong> AckedAsync(Socket socket, ulong end) => Task.Run(() => RawStream.Acked(socket, end));

    private static Task<bool> IsClosedAsync(Socket socket) => Task.Run(() => RawStream.IsClosed(socket));
}
