using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Redoubt.Compute.Postgres;
using Redoubt.Compute.Runtime;
using Redoubt.Protocol.Sockets;
using Redoubt.Wal;

namespace Redoubt.Compute.Pages;

/// <summary>
/// Answers pgshim on a unix socket, one request at a time per connection: a PostgreSQL process has one, and each has a thread here. Little-endian.
/// Request: u32 magic, u16 op (1 get, 2 prefetch without reply), u16 path length, u32 first block of that file, u32 blocks (1…32), path.
/// Reply: u32 status (0 or an errno), u32 blocks, pages.
/// </summary>
public sealed class PageServer : IDisposable
{
    private const uint Magic = 0x47504452;
    private const int RequestLength = 16;
    private const int ReplyLength = 8;
    private const int MaxPath = 256;
    private const int MaxBlocks = 32;
    private const ushort Get = 1;
    private const ushort Prefetch = 2;
    private const int AcceptBackOffMs = 50;
    private const int SayEveryMs = 10_000;

    /// <summary>PostgreSQL's own limit of processes lies far below: more are a mistake of somebody.</summary>
    private const int MaxConnections = 16_384;
    private const uint Eio = 5;
    private const uint Einval = 22;

    private readonly Socket _listener;
    private readonly PageFetcher _fetcher;
    private readonly Prefetcher _prefetcher;
    private readonly PageMetrics _metrics;
    private readonly ILogger _logger;
    private readonly Thread _accepting;
    private readonly ConcurrentDictionary<Socket, bool> _connections = [];
    private volatile bool _stopping;
    private long _saidAt = -SayEveryMs;

    /// <summary>Listens at once.</summary>
    public PageServer(string socketPath, OsAccount owner, PageFetcher fetcher, PageMetrics metrics, ILogger logger)
    {
        _fetcher = fetcher;
        _prefetcher = new Prefetcher(fetcher, logger);
        _metrics = metrics;
        _logger = logger;
        File.Delete(socketPath);
        _listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _listener.Bind(new UnixDomainSocketEndPoint(socketPath));
        File.SetUnixFileMode(socketPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        NativeFile.ChangeOwner(socketPath, owner);
        _listener.Listen(1024);
        _accepting = new Thread(Accept) { Name = "page-accept", IsBackground = true };
        _accepting.Start();
    }

    /// <summary>Starts a connection's thread; tests make it fail.</summary>
    internal Action<Thread> StartThread { get; set; } = static t => t.Start();

    public void Dispose()
    {
        _stopping = true;
        _listener.Shutdown(SocketShutdown.Both); // wakes the thread
        _accepting.Join();
        _listener.Dispose();
        _prefetcher.Dispose();
        foreach (var connection in _connections.Keys)
        {
            Break(connection);
        }
    }

    private static void Break(Socket connection)
    {
        try
        {
            connection.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // it has ended
        }
    }

    private void Accept()
    {
        while (!_stopping)
        {
            try
            {
                Start(_listener.Accept());
            }
            catch (Exception e) when (!_stopping)
            {
                // The process was gone before it was accepted, or no descriptors are left: PostgreSQL's other processes go on.
                SayRefused(e.Message);
                Thread.Sleep(AcceptBackOffMs);
            }
            catch (Exception)
            {
                // The listening socket was closed: that is the end.
            }
        }
    }

    /// <summary>Serves a connection on a thread of its own, or refuses it: its process's read fails, and nothing else.</summary>
    private void Start(Socket connection)
    {
        if (_connections.Count < MaxConnections)
        {
            _connections[connection] = true;
            if (ConnectionThread.TryStart("pages", () => Serve(connection), StartThread))
            {
                return;
            }

            _connections.TryRemove(connection, out _);
        }

        _metrics.Refused.Inc();
        SayRefused(_connections.Count < MaxConnections ? "the system has no thread for it" : $"{MaxConnections} are served");
        connection.Dispose();
    }

    private void SayRefused(string why)
    {
        if (Environment.TickCount64 - _saidAt > SayEveryMs)
        {
            _saidAt = Environment.TickCount64;
            _logger.PageConnectionRefused(why);
        }
    }

    private void Serve(Socket connection)
    {
        byte[] request = new byte[RequestLength + MaxPath];
        try
        {
            while (!_stopping && Read(connection, request.AsSpan(0, RequestLength)))
            {
                ushort op = BinaryPrimitives.ReadUInt16LittleEndian(request.AsSpan(4));
                int pathLength = BinaryPrimitives.ReadUInt16LittleEndian(request.AsSpan(6));
                uint block = BinaryPrimitives.ReadUInt32LittleEndian(request.AsSpan(8));
                uint count = BinaryPrimitives.ReadUInt32LittleEndian(request.AsSpan(12));
                if (BinaryPrimitives.ReadUInt32LittleEndian(request) != Magic || op is not (Get or Prefetch) || pathLength > MaxPath
                    || !Read(connection, request.AsSpan(RequestLength, pathLength)))
                {
                    return;
                }

                bool valid = TryParsePath(request.AsSpan(RequestLength, pathLength), out var first) && count is > 0 and <= MaxBlocks;
                first = first with { Block = first.Block + block };
                if (op == Get)
                {
                    Answer(connection, first, (int)count, valid);
                }
                else if (valid)
                {
                    _prefetcher.Add(first, (int)count);
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // the process has gone, or we go
        }
        catch (Exception e)
        {
            // The process sees its connection end and fails its read; the others go on.
            _logger.PageServerFailed(e);
        }
        finally
        {
            _connections.TryRemove(connection, out _);
            connection.Dispose();
        }
    }

    private static bool TryParsePath(ReadOnlySpan<byte> utf8, out PageKey first)
    {
        Span<char> path = stackalloc char[MaxPath];
        return DataPath.TryParse(path[..Encoding.UTF8.GetChars(utf8, path)], out first);
    }

    private void Answer(Socket connection, PageKey first, int count, bool valid)
    {
        long began = Stopwatch.GetTimestamp();
        int length = ReplyLength + (valid ? count * PageRedo.PageSize : 0);
        byte[] reply = ArrayPool<byte>.Shared.Rent(length);
        using var activity = Tracing.Source.StartActivity("get pages", ActivityKind.Client);
        activity?.SetTag("redoubt.pages", count);
        try
        {
            uint status = valid ? 0 : Einval;
            if (valid)
            {
                try
                {
                    _fetcher.Get(first, count, reply.AsMemory(ReplyLength, count * PageRedo.PageSize));
                    _metrics.Pages.Inc(count);
                }
                catch (PageUnavailableException e)
                {
                    _logger.PagesUnavailable(first, count, e.Message);
                    activity?.SetStatus(ActivityStatusCode.Error, e.Message);
                    status = Eio;
                    length = ReplyLength;
                }
            }

            BinaryPrimitives.WriteUInt32LittleEndian(reply, status);
            BinaryPrimitives.WriteUInt32LittleEndian(reply.AsSpan(4), status == 0 ? (uint)count : 0);
            for (int sent = 0; sent < length;)
            {
                sent += connection.Send(reply.AsSpan(sent, length - sent));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(reply);
            _metrics.Seconds.Observe(Stopwatch.GetElapsedTime(began).TotalSeconds);
        }
    }

    private static bool Read(Socket connection, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            int n = connection.Receive(destination);
            if (n == 0)
            {
                return false;
            }

            destination = destination[n..];
        }

        return true;
    }
}
