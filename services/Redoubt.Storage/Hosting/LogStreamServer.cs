using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Chain;
using Redoubt.Storage.Segments;

namespace Redoubt.Storage.Hosting;

/// <summary>
/// Writers' log streams in the commit path's own format (<see cref="LogStream"/>), on the gRPC port: a connection that begins with its magic is served
/// here, every other one goes on to HTTP/2. Acknowledgements leave on the thread that made the log durable.
/// </summary>
internal sealed class LogStreamServer(StorageOptions options, DrillState drills, Func<SegmentHost> host, ILogger logger)
{
    private readonly byte[] _secret = Encoding.UTF8.GetBytes(options.Secret);

    /// <summary>Looks at a connection's first bytes and serves it, or hands it on.</summary>
    public async Task HandleAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var input = connection.Transport.Input;
        while (true)
        {
            var read = await input.ReadAsync(connection.ConnectionClosed).ConfigureAwait(false);
            if (read.Buffer.Length >= 4)
            {
                bool ours = StartsWithMagic(read.Buffer);
                input.AdvanceTo(read.Buffer.Start);
                if (ours)
                {
                    await ServeAsync(connection).ConfigureAwait(false);
                }
                else
                {
                    await next(connection).ConfigureAwait(false);
                }

                return;
            }

            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (read.IsCompleted || read.IsCanceled)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(ConnectionContext connection)
    {
        try
        {
            await ReadStreamAsync(connection).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException or ConnectionAbortedException)
        {
            // the writer or this process went away
        }
        catch (Exception e) when (e is LogFrameException or ChainException or EpochRefusedException or SegmentNotReadyException or UnknownSegmentException)
        {
            logger.LogStreamRefused(e.Message);
        }
        finally
        {
            connection.Abort();
        }
    }

    private async Task ReadStreamAsync(ConnectionContext connection)
    {
        var closed = connection.ConnectionClosed;
        var input = connection.Transport.Input;
        byte[] prefix = await ReadAsync(LogStream.HelloPrefixLength).ConfigureAwait(false);
        int length = BinaryPrimitives.ReadInt32LittleEndian(prefix.AsSpan(4));
        if (length is < 0 or > LogStream.MaxHello)
        {
            throw new LogFrameException($"a log stream's hello claims {length} bytes");
        }

        byte[] hello = await ReadAsync(length).ConfigureAwait(false);
        if (!LogStream.TryReadHello(hello, out string volume, out int group, out ulong epoch, out string secret))
        {
            throw new LogFrameException("a log stream's hello contradicts itself");
        }

        if (drills.Partitioned || !CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(secret), _secret))
        {
            return;
        }

        var segment = host().Find(new SegmentId { Volume = volume, Group = (uint)group });
        var socket = connection.Features.Get<IConnectionSocketFeature>()?.Socket
            ?? throw new InvalidOperationException("a log stream needs a socket transport");
        socket.NoDelay = true;

        // Acknowledgements are sent under the segment's lock: a writer that stopped reading must never hold it.
        socket.Blocking = false;
        var session = segment.OpenAppend(epoch);
        try
        {
            var acks = new LogStreamAcks(segment, session, socket, connection, drills);
            session.OnWake = acks.Send;
            acks.Send();
            while (true)
            {
                byte[] header = await ReadAsync(LogStream.BatchHeaderLength).ConfigureAwait(false);
                int frameLength = BinaryPrimitives.ReadInt32LittleEndian(header) - (LogStream.BatchHeaderLength - 4);
                if (frameLength is < 0 or > LogFrame.MaxLength)
                {
                    throw new LogFrameException($"a batch of {frameLength} bytes is not legal");
                }

                byte[] frame = await ReadAsync(frameLength).ConfigureAwait(false);
                await session.SubmitAsync(
                    BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(4)),
                    BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(12)),
                    BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(20)),
                    frame,
                    closed).ConfigureAwait(false);
            }
        }
        finally
        {
            session.OnWake = null;
            segment.CloseAppend(session);
        }

        async ValueTask<byte[]> ReadAsync(int count)
        {
            if (count == 0)
            {
                return [];
            }

            var read = await input.ReadAtLeastAsync(count, closed).ConfigureAwait(false);
            if (read.Buffer.Length < count)
            {
                throw new IOException("the writer closed its stream");
            }

            var bytes = GC.AllocateUninitializedArray<byte>(count);
            var taken = read.Buffer.Slice(0, count);
            taken.CopyTo(bytes);
            input.AdvanceTo(taken.End);
            return bytes;
        }
    }

    private static bool StartsWithMagic(ReadOnlySequence<byte> buffer)
    {
        Span<byte> first = stackalloc byte[4];
        buffer.Slice(0, 4).CopyTo(first);
        return BinaryPrimitives.ReadUInt32LittleEndian(first) == LogStream.Magic;
    }
}
