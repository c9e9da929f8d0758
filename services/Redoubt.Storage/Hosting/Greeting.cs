using System.Buffers.Binary;
using System.Net.Sockets;
using Redoubt.Protocol;

namespace Redoubt.Storage.Hosting;

/// <summary>A connection that has not said who it is. It costs a socket and at most a hello's bytes, never a thread.</summary>
/// <remarks>The socket blocks, so that a stream's thread has one that .NET's asynchronous engine has never seen; nothing is received here but what has
/// come.</remarks>
internal sealed class Greeting(Socket socket)
{
    private byte[]? _hello;     // of a raw stream: its prefix, then the whole
    private int _received;

    public enum Outcome
    {
        /// <summary>More must come.</summary>
        Waiting,

        /// <summary>No raw stream: HTTP/2, or somebody who has lost the way. Nothing has been taken from the socket.</summary>
        Other,

        /// <summary>A raw stream, whose hello is here.</summary>
        Stream,

        /// <summary>It is no hello.</summary>
        Malformed,

        /// <summary>The other side has gone.</summary>
        Gone,
    }

    public Socket Socket => socket;

    /// <summary><see cref="Environment.TickCount64"/> when it was accepted.</summary>
    public long Since { get; } = Environment.TickCount64;

    /// <summary>Some of the first four bytes are here, left in the socket: waiting for readability would return at once.</summary>
    public bool IsHalfRead { get; private set; }

    /// <summary>Looks at what has come, without waiting.</summary>
    public Outcome Look(out StreamHello? hello)
    {
        hello = null;
        try
        {
            if (_hello is null && LookAtMagic() is var first && first != Outcome.Stream)
            {
                return first;
            }

            while (socket.Poll(0, SelectMode.SelectRead))
            {
                int n = socket.Receive(_hello.AsSpan(_received));
                if (n == 0)
                {
                    return Outcome.Gone;
                }

                _received += n;
                if (_received == _hello!.Length && Complete(out hello) is var outcome && outcome != Outcome.Waiting)
                {
                    return outcome;
                }
            }

            return Outcome.Waiting;
        }
        catch (SocketException)
        {
            return Outcome.Gone;
        }
    }

    private Outcome LookAtMagic()
    {
        if (!socket.Poll(0, SelectMode.SelectRead))
        {
            return Outcome.Waiting;
        }

        Span<byte> magic = stackalloc byte[4];
        int seen = socket.Receive(magic, SocketFlags.Peek);
        IsHalfRead = seen is > 0 and < 4;
        if (seen < 4)
        {
            return seen == 0 ? Outcome.Gone : Outcome.Waiting;
        }

        if (!StreamServer.IsStream(BinaryPrimitives.ReadUInt32LittleEndian(magic)))
        {
            return Outcome.Other;
        }

        _hello = new byte[StreamHello.PrefixLength];
        return Outcome.Stream;
    }

    /// <summary>The buffer is full: with the prefix, or with the whole hello.</summary>
    private Outcome Complete(out StreamHello? hello)
    {
        hello = null;
        if (_hello!.Length > StreamHello.PrefixLength)
        {
            hello = StreamHello.Decode(BinaryPrimitives.ReadUInt32LittleEndian(_hello), _hello.AsSpan(StreamHello.PrefixLength));
            return hello is null ? Outcome.Malformed : Outcome.Stream;
        }

        uint length = BinaryPrimitives.ReadUInt32LittleEndian(_hello.AsSpan(4));
        if (length is 0 or > StreamHello.MaxLength)
        {
            return Outcome.Malformed;
        }

        Array.Resize(ref _hello, StreamHello.PrefixLength + (int)length);
        return Outcome.Waiting;
    }
}
