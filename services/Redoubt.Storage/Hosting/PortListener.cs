using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Redoubt.Storage.Hosting;

/// <summary>
/// Listens on the gRPC port and looks at each connection's first bytes: raw streams (<see cref="StreamServer"/>) keep their raw, blocking socket and get a
/// thread of their own; everything else goes to Kestrel. A socket that .NET's asynchronous engine has never seen costs one system call a
/// receive and no thread change, which is what a commit waits for.
/// </summary>
internal sealed class PortListener : IConnectionListener
{
    private const int MaxUndecided = 1024;
    private const int LookAgainMs = 5;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Socket _socket;
    private readonly SocketConnectionContextFactory _contexts;
    private readonly Action<Socket, uint> _serveStream;
    private readonly Channel<ConnectionContext> _others = Channel.CreateUnbounded<ConnectionContext>();
    private readonly Thread _thread;
    private volatile bool _stopping;

    /// <param name="socket">Bound and listening.</param>
    /// <param name="serveStream">Takes a raw stream's socket over, and its first four bytes; must return at once.</param>
    /// <param name="logs">For Kestrel's connections.</param>
    public PortListener(Socket socket, Action<Socket, uint> serveStream, ILoggerFactory logs)
    {
        _socket = socket;
        _serveStream = serveStream;
        _contexts = new SocketConnectionContextFactory(new SocketConnectionFactoryOptions(), logs.CreateLogger("Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets"));
        EndPoint = socket.LocalEndPoint!;
        _thread = new Thread(Run) { Name = "accept", IsBackground = true };
        _thread.Start();
    }

    public EndPoint EndPoint { get; }

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (await _others.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (_others.Reader.TryRead(out var connection))
            {
                return connection;
            }
        }

        return null;
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        if (!_stopping)
        {
            _stopping = true;
            _socket.Shutdown(SocketShutdown.Both); // wakes the thread
            _thread.Join();
            _socket.Dispose();
        }

        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await UnbindAsync().ConfigureAwait(false);
        while (_others.Reader.TryRead(out var connection))
        {
            await connection.DisposeAsync().ConfigureAwait(false);
        }

        _contexts.Dispose();
    }

    private void Run()
    {
        var undecided = new List<(Socket Socket, long Since)>();
        var ready = new List<Socket>();
        bool halfRead = false;
        while (!_stopping)
        {
            ready.Clear();
            ready.Add(_socket);
            if (!halfRead)
            {
                ready.AddRange(undecided.Select(u => u.Socket));
            }

            try
            {
                Socket.Select(ready, null, null, undecided.Count == 0 ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(halfRead ? LookAgainMs : 1000));
                if (!_stopping && ready.Contains(_socket))
                {
                    undecided.Add((_socket.Accept(), Environment.TickCount64));
                }
            }
            catch (SocketException)
            {
                // The connection was gone before it was accepted, or no descriptors are left: those that wait are closed in time.
                Thread.Sleep(1);
            }

            halfRead = Decide(undecided);
        }

        undecided.ForEach(u => u.Socket.Dispose());
        _others.Writer.Complete();
    }

    /// <summary>Sends those away whose first bytes are here. True: some have sent a part of them.</summary>
    private bool Decide(List<(Socket Socket, long Since)> undecided)
    {
        Span<byte> first = stackalloc byte[4];
        bool halfRead = false;
        for (int i = undecided.Count - 1; i >= 0; i--)
        {
            var (socket, since) = undecided[i];
            int seen = 0;
            try
            {
                if (socket.Poll(0, SelectMode.SelectRead))
                {
                    seen = socket.Receive(first, SocketFlags.Peek, out var error);
                    seen = error == SocketError.Success && seen > 0 ? seen : -1;
                }
            }
            catch (SocketException)
            {
                seen = -1;
            }

            if (seen == first.Length)
            {
                undecided.RemoveAt(i);
                HandOn(socket, BitConverter.ToUInt32(first));
            }
            else if (seen < 0 || Environment.TickCount64 - since > Patience.TotalMilliseconds || undecided.Count > MaxUndecided)
            {
                undecided.RemoveAt(i);
                socket.Dispose();
            }
            else
            {
                halfRead |= seen > 0;
            }
        }

        return halfRead;
    }

    private void HandOn(Socket socket, uint magic)
    {
        if (StreamServer.IsStream(magic))
        {
            _serveStream(socket, magic);
        }
        else
        {
            socket.NoDelay = true;
            _others.Writer.TryWrite(_contexts.Create(socket));
        }
    }
}
