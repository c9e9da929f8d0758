using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using Redoubt.Protocol;
using Redoubt.Storage.Chain;
using Redoubt.Storage.Pages;
using Redoubt.Storage.Segments;
using Redoubt.Wal;

namespace Redoubt.Storage.Hosting;

/// <summary>A compute's page stream (<see cref="PageStream"/>): one request after the other, on one thread.</summary>
internal sealed class PageStreamHandler(Socket socket, Segment segment, DrillState drills, ILogger logger)
{
    private const int SendTimeoutMs = 10_000;
    private readonly byte[] _request = new byte[PageStream.MaxRequest];
    private readonly byte[] _found = new byte[PageStream.MaxPages];
    private readonly PageKey[] _keys = new PageKey[PageStream.MaxPages];
    private byte[] _reply = new byte[PageStream.ReplyHeaderLength + PageRedo.PageSize];
    private int _received;

    /// <summary>Serves the stream until it ends.</summary>
    public void Run()
    {
        // A compute that reads no answers does not hold a thread for ever.
        socket.SendTimeout = SendTimeoutMs;
        while (TryReceive(out int length))
        {
            if (drills.Partitioned)
            {
                return;
            }

            int replied = Answer(_request.AsSpan(4, length - 4));
            _received -= length;
            _request.AsSpan(length, _received).CopyTo(_request);
            for (int sent = 0; sent < replied;)
            {
                sent += socket.Send(_reply.AsSpan(sent, replied - sent));
            }
        }
    }

    /// <summary>Waits for a whole request; false: the compute has closed the stream.</summary>
    private bool TryReceive(out int length)
    {
        length = int.MaxValue;
        while (_received < length)
        {
            if (_received < 4 || (length = RequireLegal(BinaryPrimitives.ReadInt32LittleEndian(_request))) > _received)
            {
                int n = socket.Receive(_request.AsSpan(_received));
                if (n == 0)
                {
                    return false;
                }

                _received += n;
            }
        }

        return true;
    }

    private static int RequireLegal(int length)
    {
        int keys = length + 4 - PageStream.RequestHeaderLength;
        return keys > 0 && keys % PageKey.EncodedLength == 0 && keys <= PageStream.MaxPages * PageKey.EncodedLength
            ? length + 4
            : throw new LogFrameException($"a page request of {length} bytes is not legal");
    }

    /// <summary>Makes the reply; returns its length.</summary>
    private int Answer(ReadOnlySpan<byte> request)
    {
        var header = PageStream.ReadRequest(request);
        var keys = request[(PageStream.RequestHeaderLength - 4)..];
        int count = keys.Length / PageKey.EncodedLength;
        for (int i = 0; i < count; i++)
        {
            _keys[i] = PageKey.Read(keys[(i * PageKey.EncodedLength)..]);
        }

        int length = count * PageRedo.PageSize;
        if (_reply.Length < PageStream.ReplyHeaderLength + length)
        {
            _reply = GC.AllocateUninitializedArray<byte>(PageStream.ReplyHeaderLength + length);
        }

        try
        {
            var at = new ReadAt(header.Epoch, header.ReadPoint, header.CompleteAt, header.Trace);
            var reading = segment.ReadPagesAsync(
                at, _keys.AsMemory(0, count), _reply.AsMemory(PageStream.ReplyHeaderLength, length), _found.AsMemory(0, count), CancellationToken.None);
            if (!reading.IsCompletedSuccessfully)
            {
                reading.AsTask().GetAwaiter().GetResult();
            }

            PageStream.WriteReply(_reply, header.Number, PageStream.Pages, length);
        }
        catch (Exception e)
        {
            if (e is not (EpochRefusedException or SegmentNotReadyException or HorizonException or StoreCorruptException or ObjectDisposedException))
            {
                logger.PageReadFailed(e);
            }

            string sentence = e.Message.Length > PageStream.MaxSentence / 4 ? e.Message[..(PageStream.MaxSentence / 4)] : e.Message;
            length = Encoding.UTF8.GetBytes(sentence, _reply.AsSpan(PageStream.ReplyHeaderLength));
            PageStream.WriteReply(_reply, header.Number, PageStream.Refused, length);
        }

        return PageStream.ReplyHeaderLength + length;
    }
}
