using System.Buffers.Binary;
using System.Net.Sockets;
using Redoubt.Protocol;

namespace Redoubt.Storage.Hosting;

/// <summary>Receives a log stream into one buffer and cuts it into batches, which stay in the buffer until the next <see cref="Receive"/>.</summary>
internal sealed class LogStreamReader(Socket socket)
{
    private const int UsualBuffer = 256 << 10;
    private byte[] _buffer = GC.AllocateUninitializedArray<byte>(UsualBuffer);
    private int _start;
    private int _end;
    private int _wanted;    // length of the batch of which a part is here

    /// <summary>Waits for more bytes; what was read before is gone. False: the writer closed the stream.</summary>
    public bool Receive()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_buffer.Length < _wanted || (_buffer.Length > 4 * UsualBuffer && _end < UsualBuffer && _wanted < UsualBuffer))
        {
            // A large batch comes, or one has gone.
            var other = GC.AllocateUninitializedArray<byte>(Math.Max(_wanted, UsualBuffer));
            _buffer.AsSpan(0, _end).CopyTo(other);
            _buffer = other;
        }

        int n = socket.Receive(_buffer.AsSpan(_end));
        _end += n;
        return n > 0;
    }

    /// <summary>The next whole batch: three LSNs, the writer's clock, and a frame that may be empty.</summary>
    /// <exception cref="LogFrameException">Its length is not legal.</exception>
    public bool TryReadBatch(out ReadOnlySpan<byte> header, out ReadOnlyMemory<byte> frame)
    {
        header = default;
        frame = default;
        if (_end - _start < LogStream.BatchHeaderLength)
        {
            return false;
        }

        int frameLength = BinaryPrimitives.ReadInt32LittleEndian(_buffer.AsSpan(_start)) - (LogStream.BatchHeaderLength - 4);
        if (frameLength is < 0 or > LogFrame.MaxLength)
        {
            throw new LogFrameException($"a batch of {frameLength} bytes is not legal");
        }

        _wanted = LogStream.BatchHeaderLength + frameLength;
        if (_end - _start < _wanted)
        {
            return false;
        }

        _wanted = 0;
        header = _buffer.AsSpan(_start + 4, LogStream.BatchHeaderLength - 4);
        frame = _buffer.AsMemory(_start + LogStream.BatchHeaderLength, frameLength);
        _start += LogStream.BatchHeaderLength + frameLength;
        return true;
    }
}
