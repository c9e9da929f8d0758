using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Chain;
using Redoubt.Storage.LogFiles;
using Redoubt.Storage.Segments;

namespace Redoubt.Storage.Hosting;

/// <summary>
/// Writers' log streams in the commit path's own format (<see cref="LogStream"/>). One thread a stream does everything that a commit waits for: it
/// receives what has come, writes it with one write and one <c>fdatasync</c>, and acknowledges. What comes meanwhile waits in the socket for the next round.
/// </summary>
internal sealed class LogStreamServer(StorageOptions options, DrillState drills, Func<SegmentHost> host, ILogger logger)
{
    private const int HelloTimeoutMs = 10_000;

    /// <summary>A new compute waits until all log is applied: so much of it (bytes) may wait, then the writer is slowed down.</summary>
    private const ulong MaxApplyLag = 4 << 20;
    private const int MaxPauseMs = 50;
    private readonly byte[] _secret = Encoding.UTF8.GetBytes(options.Secret);
    private readonly ConcurrentDictionary<Socket, Thread> _threads = [];

    /// <summary>Serves a connection on a thread of its own, which owns the socket.</summary>
    public void Serve(Socket socket)
    {
        var thread = new Thread(() => Run(socket)) { Name = "log-stream", IsBackground = true };
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
            var reader = new LogStreamReader(socket);
            if (!reader.TryReadHello(out string volume, out int group, out ulong epoch, out string secret))
            {
                throw new LogFrameException("a log stream's hello contradicts itself");
            }

            if (!drills.Partitioned && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(secret), _secret))
            {
                socket.ReceiveTimeout = 0;
                Append(socket, reader, host().Find(new SegmentId { Volume = volume, Group = (uint)group }), epoch);
            }
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
        {
            // the writer or this process went away
        }
        catch (Exception e) when (e is LogFrameException or ChainException or EpochRefusedException or SegmentNotReadyException or UnknownSegmentException)
        {
            logger.LogStreamRefused(e.Message);
        }
        finally
        {
            _threads.TryRemove(socket, out _);
            socket.Dispose();
        }
    }

    private void Append(Socket socket, LogStreamReader reader, Segment segment, ulong epoch)
    {
        var session = segment.OpenAppend(epoch);
        using var acks = new LogStreamAcks(segment, session, socket, drills);
        try
        {
            session.OnWake = acks.Send;
            acks.Send();
            var frames = new List<PendingAppend>();
            do
            {
                bool any = false;
                ulong vdl = 0, groupVdl = 0, gcHorizon = 0;
                while (reader.TryReadBatch(out var header, out var frame))
                {
                    any = true;
                    vdl = BinaryPrimitives.ReadUInt64LittleEndian(header);
                    groupVdl = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]);
                    gcHorizon = BinaryPrimitives.ReadUInt64LittleEndian(header[16..]);
                    if (frame.Length > 0)
                    {
                        frames.Add(PendingAppend.Parse(frame, session));
                    }
                }

                if (any)
                {
                    segment.Hear(session, vdl, groupVdl, gcHorizon);
                }

                if (frames.Count > 0)
                {
                    segment.Log.Append(frames); // acknowledges by way of the session
                    frames.Clear();
                    segment.AwaitApply(session, MaxApplyLag, MaxPauseMs);
                }
                else if (any)
                {
                    acks.Send();
                }
            }
            while (reader.Receive());
        }
        finally
        {
            session.OnWake = null;
            segment.CloseAppend(session);
        }
    }
}
