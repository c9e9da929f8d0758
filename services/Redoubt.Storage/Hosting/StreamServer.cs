using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Redoubt.Protocol;
using Redoubt.Protocol.Sockets;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Chain;
using Redoubt.Storage.Segments;

namespace Redoubt.Storage.Hosting;

/// <summary>Raw streams on the gRPC port (docs/decisions/0008): writers' logs and computes' page reads. One blocking thread each.</summary>
internal sealed class StreamServer(StorageOptions options, DrillState drills, ServedConnections served, Func<SegmentHost> host, ILogger logger)
{
    private readonly byte[] _secret = Encoding.UTF8.GetBytes(options.Secret);
    private readonly ConcurrentDictionary<Socket, bool> _sockets = [];
    private readonly CountdownEvent _running = new(1);
    private volatile bool _stopped;

    /// <summary>All connections of peers that have said who they are.</summary>
    public ServedConnections Served => served;

    /// <summary>Starts a stream's thread; tests make it fail.</summary>
    internal Action<Thread> StartThread { get; set; } = static t => t.Start();

    /// <summary>Those of streams that are served.</summary>
    internal ICollection<Socket> Sockets => _sockets.Keys;

    /// <summary>True for the first bytes of a raw stream.</summary>
    public static bool IsStream(uint magic) => magic is LogStream.Magic or PageStream.Magic;

    /// <summary>Serves a connection on a thread of its own, which then owns the socket.</summary>
    /// <returns>Null, or why not: one of <see cref="Refusals"/>.</returns>
    public string? TryServe(Socket socket, StreamHello hello)
    {
        if (_stopped || drills.Partitioned)
        {
            return Refusals.Stopping;
        }

        if (!CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(hello.Secret), _secret))
        {
            return Refusals.Secret;
        }

        if (!served.TryAdd())
        {
            return Refusals.Full;
        }

        _sockets[socket] = true;
        _running.AddCount();
        string name = hello.Magic == LogStream.Magic ? "log-stream" : "page-stream";
        if (ConnectionThread.TryStart(name, () => Run(socket, hello), StartThread))
        {
            return null;
        }

        Ended(socket);
        return Refusals.Thread;
    }

    /// <summary>Ends all streams and waits for their threads. Nobody calls <see cref="TryServe"/> any more.</summary>
    public void Stop()
    {
        _stopped = true;
        foreach (var socket in _sockets.Keys)
        {
            LogStreamAcks.Break(socket);
        }

        _running.Signal();
        _running.Wait();
    }

    private void Run(Socket socket, StreamHello hello)
    {
        try
        {
            TcpLiveness.Apply(socket);
            var segment = host().Find(new SegmentId { Volume = hello.Volume, Group = (uint)hello.Group });
            if (hello.Magic == LogStream.Magic)
            {
                socket.ReceiveTimeout = (int)options.LogSilence.TotalMilliseconds;
                LogStreamHandler.Run(socket, segment, hello.Epoch, drills);
            }
            else
            {
                new PageStreamHandler(socket, segment, drills, logger).Run();
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
        catch (Exception e)
        {
            logger.StreamFailed(e);
        }
        finally
        {
            socket.Dispose();
            Ended(socket);
        }
    }

    private void Ended(Socket socket)
    {
        _sockets.TryRemove(socket, out _);
        served.Remove();
        _running.Signal();
    }
}
