using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Redoubt.Compute.Volume;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Pages;

/// <summary>A page stream to one segment (<see cref="PageStream"/>), for one thread at a time. Connecting and waiting for an answer do not block: the caller
/// polls <see cref="Descriptor"/> and calls <see cref="TryConnect"/> or <see cref="Receive"/>.</summary>
public sealed class PageConnection : IDisposable
{
    /// <summary>A segment that does not answer a connection within this time is not there (ms).</summary>
    public const int ConnectTimeoutMs = 1_000;

    /// <summary>An answer that has begun goes on within this time (ms).</summary>
    private const int ReplyTimeoutMs = 2_000;
    private readonly byte[] _request = new byte[PageStream.MaxRequest];
    private readonly byte[] _buffer = new byte[PageStream.ReplyHeaderLength + PageRedo.PageSize];
    private StreamDial? _dial;
    private Socket? _open;
    private int _requestLength;
    private int _start;
    private int _end;
    private uint _asked;
    private uint _answered;

    /// <summary>Begins to connect.</summary>
    /// <exception cref="SocketException">The process cannot be found or reached.</exception>
    public PageConnection(GrpcSegment segment, ulong epoch) => _dial = segment.Dial(PageStream.Magic, epoch, ConnectTimeoutMs);

    /// <summary>True until it is through.</summary>
    public bool IsConnecting => _dial is not null;

    /// <summary>For poll(2): writable while <see cref="IsConnecting"/>, afterwards readable.</summary>
    public int Descriptor => _dial?.Descriptor ?? (int)Stream.Handle;

    private Socket Stream => _open ?? throw new InvalidOperationException("the page stream is not connected yet");

    /// <summary>Call it when the descriptor is writable. True: it is through, and the request that waited is sent.</summary>
    /// <exception cref="SocketException">The process cannot be reached.</exception>
    public bool TryConnect()
    {
        _open = _dial!.TryFinish();
        if (_open is null)
        {
            return false; // another address
        }

        _dial = null;
        _open.ReceiveTimeout = ReplyTimeoutMs;
        SendAll(_request.AsSpan(0, _requestLength));
        return true;
    }

    /// <summary>Sends a request, or keeps it until it is connected.</summary>
    /// <exception cref="SocketException">The connection is broken.</exception>
    public void Ask(ulong epoch, ulong readPoint, ReadOnlySpan<byte> keys, ActivityContext trace)
    {
        PageStream.WriteRequest(_request, new PageStreamRequest(++_asked, epoch, readPoint, readPoint, trace), keys.Length);
        keys.CopyTo(_request.AsSpan(PageStream.RequestHeaderLength));
        _requestLength = PageStream.RequestHeaderLength + keys.Length;
        if (!IsConnecting)
        {
            SendAll(_request.AsSpan(0, _requestLength));
        }
    }

    /// <summary>Waits for the answer to the last request; earlier ones are thrown away.</summary>
    /// <param name="pages">Gets the pages; their number is what was asked for.</param>
    /// <exception cref="PageUnavailableException">The segment refused, or answered something else.</exception>
    /// <exception cref="SocketException">The connection is broken, or nothing came in time.</exception>
    public void Receive(Span<byte> pages)
    {
        while (true)
        {
            var (status, length) = ReceiveHeader();
            if (_answered != _asked)
            {
                Skip(length);
            }
            else if (status == PageStream.Pages && length == pages.Length)
            {
                Take(pages);
                return;
            }
            else
            {
                Refuse(status, length, pages.Length);
            }
        }
    }

    /// <summary>Throws away answers that have come and nobody waits for; false: one has not come yet, or the connection has ended.</summary>
    /// <exception cref="SocketException">The connection is broken.</exception>
    public bool TryDrain()
    {
        if (_answered == _asked)
        {
            return !Stream.Poll(0, SelectMode.SelectRead);
        }

        while (_answered != _asked)
        {
            if (_start == _end && !Stream.Poll(0, SelectMode.SelectRead))
            {
                return false;
            }

            Skip(ReceiveHeader().Length);
        }

        return true;
    }

    public void Dispose()
    {
        _dial?.Dispose();
        _open?.Dispose();
    }

    /// <summary>Waits for the next answer's header, and notes which request it is for.</summary>
    private (uint Status, int Length) ReceiveHeader()
    {
        Fill(PageStream.ReplyHeaderLength);
        var header = _buffer.AsSpan(_start, PageStream.ReplyHeaderLength);
        int length = BinaryPrimitives.ReadInt32LittleEndian(header) - (PageStream.ReplyHeaderLength - 4);
        _answered = BinaryPrimitives.ReadUInt32LittleEndian(header[4..]);
        _start += PageStream.ReplyHeaderLength;
        return length is >= 0 and <= PageStream.MaxPages * PageRedo.PageSize && _asked - _answered <= int.MaxValue
            ? (BinaryPrimitives.ReadUInt32LittleEndian(header[8..]), length)
            : throw new SocketException((int)SocketError.MessageSize);
    }

    private void Refuse(uint status, int length, int wanted)
    {
        if (status == PageStream.Pages || length > PageStream.MaxSentence)
        {
            Skip(length);
            throw new PageUnavailableException($"the segment answered {length} bytes of pages where {wanted} were asked for");
        }

        Span<byte> sentence = stackalloc byte[PageStream.MaxSentence];
        Take(sentence[..length]);
        throw new PageUnavailableException(Encoding.UTF8.GetString(sentence[..length]));
    }

    private void SendAll(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[Stream.Send(bytes)..];
        }
    }

    /// <summary>Waits until so many bytes are in the buffer.</summary>
    private void Fill(int wanted)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        while (_end < wanted)
        {
            _end += ReceiveSome(_buffer.AsSpan(_end));
        }
    }

    private void Take(Span<byte> destination)
    {
        int here = Math.Min(destination.Length, _end - _start);
        _buffer.AsSpan(_start, here).CopyTo(destination);
        _start += here;
        for (destination = destination[here..]; destination.Length > 0;)
        {
            destination = destination[ReceiveSome(destination)..];
        }
    }

    private void Skip(int length)
    {
        int here = Math.Min(length, _end - _start);
        _start += here;
        for (length -= here; length > 0;)
        {
            length -= ReceiveSome(_buffer.AsSpan(0, Math.Min(length, _buffer.Length)));
            _start = _end = 0;
        }
    }

    private int ReceiveSome(Span<byte> destination)
    {
        int n = Stream.Receive(destination);
        return n > 0 ? n : throw new SocketException((int)SocketError.ConnectionReset);
    }
}
