using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Redoubt.Compute.Postgres;
using Redoubt.Compute.Runtime;
using Redoubt.Wal;

namespace Redoubt.Compute.Pages;

/// <summary>
/// Answers pgshim on a unix socket, one request at a time per connection (a connection per PostgreSQL process). Little-endian.
/// Request: u32 magic, u16 op (1 get, 2 prefetch without reply), u16 path length, u32 first block of that file, u32 blocks (1…32), path.
/// Reply: u32 status (0 or an errno), u32 blocks, pages.
/// </summary>
public sealed class PageServer : IAsyncDisposable
{
    private const uint Magic = 0x47504452;
    private const int RequestLength = 16;
    private const int ReplyLength = 8;
    private const int MaxPath = 256;
    private const int MaxBlocks = 32;
    private const ushort Get = 1;
    private const ushort Prefetch = 2;
    private const uint Eio = 5;
    private const uint Einval = 22;

    private readonly Socket _listener;
    private readonly PageFetcher _fetcher;
    private readonly PageMetrics _metrics;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;

    /// <summary>Listens at once.</summary>
    public PageServer(string socketPath, OsAccount owner, PageFetcher fetcher, PageMetrics metrics, ILogger logger)
    {
        _fetcher = fetcher;
        _metrics = metrics;
        _logger = logger;
        File.Delete(socketPath);
        _listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _listener.Bind(new UnixDomainSocketEndPoint(socketPath));
        File.SetUnixFileMode(socketPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        NativeFile.ChangeOwner(socketPath, owner);
        _listener.Listen(1024);
        _accepting = Task.Run(AcceptAsync);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _listener.Dispose();
        await _accepting.ConfigureAwait(false);
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var connection = await _listener.AcceptAsync(_stop.Token).ConfigureAwait(false);
                _ = Task.Run(() => ServeAsync(connection));
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                // The loop ends when told to.
            }
        }
    }

    private async Task ServeAsync(Socket connection)
    {
        byte[] request = new byte[RequestLength + MaxPath];
        try
        {
            while (await ReadAsync(connection, request.AsMemory(0, RequestLength)).ConfigureAwait(false))
            {
                ushort op = BinaryPrimitives.ReadUInt16LittleEndian(request.AsSpan(4));
                int pathLength = BinaryPrimitives.ReadUInt16LittleEndian(request.AsSpan(6));
                uint block = BinaryPrimitives.ReadUInt32LittleEndian(request.AsSpan(8));
                uint count = BinaryPrimitives.ReadUInt32LittleEndian(request.AsSpan(12));
                if (BinaryPrimitives.ReadUInt32LittleEndian(request) != Magic || op is not (Get or Prefetch) || pathLength > MaxPath
                    || !await ReadAsync(connection, request.AsMemory(RequestLength, pathLength)).ConfigureAwait(false))
                {
                    return;
                }

                bool valid = TryParsePath(request.AsSpan(RequestLength, pathLength), out var first) && count is > 0 and <= MaxBlocks;
                first = first with { Block = first.Block + block };
                if (op == Get)
                {
                    await AnswerAsync(connection, first, (int)count, valid).ConfigureAwait(false);
                }
                else if (valid)
                {
                    _ = PrefetchAsync(first, (int)count);
                }
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // the process has gone, or we go
        }
        finally
        {
            connection.Dispose();
        }
    }

    private static bool TryParsePath(ReadOnlySpan<byte> utf8, out PageKey first)
    {
        Span<char> path = stackalloc char[MaxPath];
        return DataPath.TryParse(path[..Encoding.UTF8.GetChars(utf8, path)], out first);
    }

    private async Task AnswerAsync(Socket connection, PageKey first, int count, bool valid)
    {
        long began = Stopwatch.GetTimestamp();
        int length = ReplyLength + (valid ? count * PageRedo.PageSize : 0);
        byte[] reply = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            uint status = valid ? 0 : Einval;
            if (valid)
            {
                try
                {
                    await _fetcher.GetAsync(first, count, reply.AsMemory(ReplyLength, count * PageRedo.PageSize), _stop.Token).ConfigureAwait(false);
                    _metrics.Pages.Inc(count);
                }
                catch (PageUnavailableException e)
                {
                    _logger.PagesUnavailable(first, count, e.Message);
                    status = Eio;
                    length = ReplyLength;
                }
            }

            BinaryPrimitives.WriteUInt32LittleEndian(reply, status);
            BinaryPrimitives.WriteUInt32LittleEndian(reply.AsSpan(4), status == 0 ? (uint)count : 0);
            for (int sent = 0; sent < length;)
            {
                sent += await connection.SendAsync(reply.AsMemory(sent, length - sent), _stop.Token).ConfigureAwait(false);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(reply);
            _metrics.Seconds.Observe(Stopwatch.GetElapsedTime(began).TotalSeconds);
            Tracing.Record("get pages", began, Stopwatch.GetTimestamp(), "redoubt.pages", count);
        }
    }

    private async Task PrefetchAsync(PageKey first, int count)
    {
        try
        {
            await _fetcher.PrefetchAsync(first, count, _stop.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is PageUnavailableException or OperationCanceledException)
        {
            // Losing a prefetch costs time, never data.
        }
    }

    private async Task<bool> ReadAsync(Socket connection, Memory<byte> destination)
    {
        while (destination.Length > 0)
        {
            int n = await connection.ReceiveAsync(destination, _stop.Token).ConfigureAwait(false);
            if (n == 0)
            {
                return false;
            }

            destination = destination[n..];
        }

        return true;
    }
}
