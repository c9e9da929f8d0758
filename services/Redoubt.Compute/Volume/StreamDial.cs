using System.Net;
using System.Net.Sockets;
using Redoubt.Compute.Runtime;
using Redoubt.Protocol;
using Redoubt.Protocol.Sockets;

namespace Redoubt.Compute.Volume;

/// <summary>A raw stream (docs/decisions/0008) on its way to a storage process: tries the addresses of its name in turn, never waits by itself, and says
/// hello when it is through.</summary>
/// <remarks>.NET's asynchronous engine does not see the socket: one that it has once seen wakes its threads for ever after.</remarks>
public sealed class StreamDial : IDisposable
{
    private readonly Queue<IPEndPoint> _left;
    private readonly byte[] _hello;
    private readonly int _sendTimeoutMs;
    private Socket? _socket;

    /// <param name="addresses">Of the process; one at least.</param>
    /// <param name="hello">What to say.</param>
    /// <param name="sendTimeoutMs">Of the socket.</param>
    /// <exception cref="SocketException">None of the addresses can be reached.</exception>
    public StreamDial(IEnumerable<IPEndPoint> addresses, StreamHello hello, int sendTimeoutMs)
    {
        _left = new Queue<IPEndPoint>(addresses);
        _hello = hello.Encode();
        _sendTimeoutMs = sendTimeoutMs;
        TryNext(new SocketException((int)SocketError.HostNotFound));
    }

    /// <summary>For poll(2): writable when <see cref="TryFinish"/> has something to do. Changes with it.</summary>
    public int Descriptor => (int)_socket!.Handle;

    /// <summary>Call it when the descriptor is writable. Null: another address is being tried. The stream is the caller's then.</summary>
    /// <exception cref="SocketException">None of the addresses could be reached.</exception>
    public Socket? TryFinish()
    {
        var socket = _socket!;
        try
        {
            NativeConnect.End(socket);
            TcpLiveness.Apply(socket);
            socket.SendTimeout = _sendTimeoutMs;
            ReadOnlySpan<byte> rest = _hello;
            while (rest.Length > 0)
            {
                rest = rest[socket.Send(rest)..];
            }

            _socket = null;
            return socket;
        }
        catch (SocketException e)
        {
            socket.Dispose();
            _socket = null;
            TryNext(e);
            return null;
        }
    }

    /// <summary>Waits until it is through.</summary>
    /// <exception cref="SocketException">It is not, within the time.</exception>
    public Socket Finish(int timeoutMs)
    {
        long until = Environment.TickCount64 + timeoutMs;
        Span<PollFd> polled = stackalloc PollFd[1];
        while (true)
        {
            polled[0] = new PollFd { Fd = Descriptor, Events = NativePoll.Writable };
            NativePoll.Wait(polled, (int)Math.Max(0, until - Environment.TickCount64));
            if (polled[0].Returned != 0 && TryFinish() is { } socket)
            {
                return socket;
            }

            if (Environment.TickCount64 >= until)
            {
                throw new SocketException((int)SocketError.TimedOut);
            }
        }
    }

    public void Dispose() => _socket?.Dispose();

    private void TryNext(SocketException last)
    {
        while (_left.TryDequeue(out var address))
        {
            _socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                NativeConnect.Begin(_socket, address);
                return;
            }
            catch (SocketException e)
            {
                _socket.Dispose();
                _socket = null;
                last = e;
            }
        }

        throw last;
    }
}
