using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Prometheus;
using Redoubt.Compute.Pages;
using Redoubt.Compute.Volume;
using Redoubt.Protocol;
using Redoubt.Protocol.Sockets;
using Redoubt.Wal;

namespace Redoubt.Compute.Tests;

/// <summary>Page reads while segments are silent, refuse, or are on machines that have gone.</summary>
public sealed class PageSourceTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Two_segments_that_died_together_cost_a_read_seconds_at_most(bool gone)
    {
        using var first = new FakeSegment(hasGone: gone);
        using var second = new FakeSegment(hasGone: gone);
        using var well = new FakeSegment(isWell: true);
        long began = Stopwatch.GetTimestamp();
        Assert.True(Read(30_000, first, second, well).All(b => b == 42));
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 0, 5);
    }

    [Fact]
    public void One_segment_whose_machine_has_gone_costs_a_read_no_second()
    {
        using var gone = new FakeSegment(hasGone: true);
        using var well = new FakeSegment(isWell: true);
        long began = Stopwatch.GetTimestamp();
        Assert.True(Read(30_000, gone, well).All(b => b == 42));
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 0, 0.9);
    }

    [Fact]
    public void Segments_that_refuse_are_passed_over_and_without_any_the_read_ends_in_time()
    {
        var refusing = new FakeSegment();
        refusing.Dispose();
        using var well = new FakeSegment(isWell: true);
        Assert.True(Read(30_000, refusing, well).All(b => b == 42));
        using var gone = new FakeSegment(hasGone: true);
        long began = Stopwatch.GetTimestamp();
        var failed = Assert.Throws<PageUnavailableException>(() => Read(1_500, refusing, gone));
        Assert.Contains("no connection within", failed.Message, StringComparison.Ordinal);
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 1, 10);
    }

    [Fact]
    public void A_dial_tries_the_next_address_and_gives_up_in_time()
    {
        using var well = new FakeSegment(isWell: true);
        using var gone = new FakeSegment(hasGone: true);
        var refused = new IPEndPoint(IPAddress.IPv6Loopback, well.EndPoint.Port);
        var hello = new StreamHello(PageStream.Magic, "volume", 0, 1, "");
        using (var dial = new StreamDial([refused, well.EndPoint], hello, 1_000))
        {
            using var socket = dial.Finish(5_000);
            Assert.Equal(1, socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive));
            Assert.Equal(TcpLiveness.IdleSeconds, socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime));
            Span<byte> milliseconds = stackalloc byte[4];
            socket.GetRawSocketOption(6, TcpLiveness.UserTimeoutOption, milliseconds);
            Assert.Equal(TcpLiveness.DeadAfterSeconds * 1000, BitConverter.ToInt32(milliseconds));
        }

        using (var dial = new StreamDial([gone.EndPoint], hello, 1_000))
        {
            long began = Stopwatch.GetTimestamp();
            Assert.Equal(SocketError.TimedOut, Assert.Throws<SocketException>(() => dial.Finish(300)).SocketErrorCode);
            Assert.InRange(Stopwatch.GetElapsedTime(began).TotalMilliseconds, 250, 2_000);
        }

        Assert.Throws<SocketException>(() =>
        {
            using var dial = new StreamDial([refused], hello, 1_000);
            dial.Finish(5_000);
        });
    }

    private static byte[] Read(int timeoutMs, params FakeSegment[] segments)
    {
        using var source = new PageSource(
            new FixedTargets([.. segments.Select(s => s.Target)]), timeoutMs, new PageMetrics(Metrics.WithCustomRegistry(Metrics.NewCustomRegistry())));
        byte[] keys = new byte[PageKey.EncodedLength], page = new byte[PageRedo.PageSize];
        new PageKey(new RelFileLocator(1663, 5, 16384), Fork.Main, 0).Write(keys);
        source.Get(0, keys, page);
        return page;
    }
}
