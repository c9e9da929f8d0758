using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Redoubt.Compute.Configuration;
using Redoubt.Compute.Pages;
using Redoubt.Compute.Volume;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Tests;

/// <summary>A port that page streams connect to, and that behaves as a segment does that is well, that is silent, or whose machine has gone.</summary>
internal sealed class FakeSegment : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly List<Socket> _sockets = [];
    private readonly StorageProcess _process;

    /// <param name="isWell">It answers. Otherwise it takes connections and says nothing.</param>
    /// <param name="hasGone">Nothing answers a connection: its packets get lost.</param>
    public FakeSegment(bool isWell = false, bool hasGone = false)
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(hasGone ? 0 : 100);
        EndPoint = (IPEndPoint)_listener.LocalEndPoint!;
        _process = new StorageProcess(new SegmentEndpoint("fake", new Uri($"http://127.0.0.1:{EndPoint.Port}")), 0, null);
        Segment = new GrpcSegment(_process, Guid.NewGuid().ToString(), 0, VolumeShape.ForCopies(1), PgVersion.Pg17, "test");
        if (hasGone)
        {
            FillQueue();
        }

        if (isWell)
        {
            new Thread(Accept) { IsBackground = true }.Start();
        }
    }

    public IPEndPoint EndPoint { get; }

    public GrpcSegment Segment { get; }

    public SegmentLatency Latency { get; } = new();

    public ReadTarget Target => new(Segment, Latency, MustApply: false);

    public void Dispose()
    {
        _listener.Dispose();
        _sockets.ForEach(s => s.Dispose());
        _process.Dispose();
    }

    /// <summary>When a listening socket's queue is full, the kernel drops whoever knocks, as a network does to a machine that has gone.</summary>
    private void FillQueue()
    {
        while (true)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            _sockets.Add(socket);
            var connecting = socket.ConnectAsync(EndPoint);
            if (!connecting.Wait(200))
            {
                return;
            }
        }
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                var socket = _listener.Accept();
                new Thread(() => Serve(socket)) { IsBackground = true }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is disposed of.
        }
    }

    private static void Serve(Socket socket)
    {
        using (socket)
        using (var stream = new NetworkStream(socket))
        {
            try
            {
                byte[] prefix = new byte[StreamHello.PrefixLength];
                stream.ReadExactly(prefix);
                stream.ReadExactly(new byte[BinaryPrimitives.ReadInt32LittleEndian(prefix.AsSpan(4))]);
                while (true)
                {
                    byte[] request = new byte[PageStream.MaxRequest];
                    stream.ReadExactly(request, 0, 4);
                    int length = BinaryPrimitives.ReadInt32LittleEndian(request);
                    stream.ReadExactly(request, 4, length);
                    int pages = (length + 4 - PageStream.RequestHeaderLength) / PageKey.EncodedLength * PageRedo.PageSize;
                    byte[] reply = new byte[PageStream.ReplyHeaderLength + pages];
                    reply.AsSpan(PageStream.ReplyHeaderLength).Fill(42);
                    PageStream.WriteReply(reply, BinaryPrimitives.ReadUInt32LittleEndian(request.AsSpan(4)), PageStream.Pages, pages);
                    stream.Write(reply);
                }
            }
            catch (IOException)
            {
                // The compute closed it.
            }
        }
    }
}
