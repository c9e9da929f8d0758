using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Chain;
using Redoubt.Storage.Segments;

namespace Redoubt.Storage.Hosting;

/// <summary>Raw streams on the gRPC port (docs/decisions/0008): writers' logs and computes' page reads. One blocking thread each.</summary>
internal sealed class StreamServer(StorageOptions options, DrillState drills, Func<SegmentHost> host, ILogger logger)
{
    private const int HelloTimeoutMs = 10_000;
    private readonly byte[] _secret = Encoding.UTF8.GetBytes(options.Secret);
    private readonly ConcurrentDictionary<Socket, Thread> _threads = [];

    /// <summary>True for the first bytes of a raw stream.</summary>
    public static bool IsStream(uint magic) => magic is LogStream.Magic or PageStream.Magic;

    /// <summary>Serves a connection on a thread of its own, which owns the socket.</summary>
    public void Serve(Socket socket, uint magic)
    {
        var thread = new Thread(() => Run(socket)) { Name = magic == LogStream.Magic ? "log-stream" : "page-stream", IsBackground = true };
        _threads[socket] = thread;
        thread.Start();
    }

    /// <summary>Ends all streams and waits for their threads.</summary>
    public void Stop()
    {
        foreach (var (socket, thread) in _threads)
        {
            LogStreamAcks.Break(socket);
            thread.Join();
        }
    }

    private void Run(Socket socket)
    {
        try
        {
            socket.NoDelay = true;
            socket.ReceiveTimeout = HelloTimeoutMs;
            var hello = ReceiveHello(socket);
            if (!drills.Partitioned && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(hello.Secret), _secret))
            {
                socket.ReceiveTimeout = 0;
                var segment = host().Find(new SegmentId { Volume = hello.Volume, Group = (uint)hello.Group });
                if (hello.Magic == LogStream.Magic)
                {
                    LogStreamHandler.Run(socket, segment, hello.Epoch, drills);
                }
                else
                {
                    new PageStreamHandler(socket, segment, drills, logger).Run();
                }
            }
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
        {
            // the other side or this process went away
        }
        catch (Exception e) when (e is LogFrameException or ChainException or EpochRefusedException or SegmentNotReadyException or UnknownSegmentException)
        {
            logger.StreamRefused(e.Message);
        }
        finally
        {
            _threads.TryRemove(socket, out _);
            socket.Dispose();
        }
    }

    private static StreamHello ReceiveHello(Socket socket)
    {
        Span<byte> prefix = stackalloc byte[StreamHello.PrefixLength];
        ReceiveAll(socket, prefix);
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(prefix[4..]);
        if (length > StreamHello.MaxLength)
        {
            throw new LogFrameException($"a stream's hello of {length} bytes is not legal");
        }

        var body = new byte[length];
        ReceiveAll(socket, body);
        return StreamHello.Decode(BinaryPrimitives.ReadUInt32LittleEndian(prefix), body) ?? throw new LogFrameException("a stream's hello contradicts itself");
    }

    private static void ReceiveAll(Socket socket, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            int n = socket.Receive(destination);
            if (n == 0)
            {
                throw new IOException("the stream was closed before its hello");
            }

            destination = destination[n..];
        }
    }
}
