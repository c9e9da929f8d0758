using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Redoubt.Protocol;
using Redoubt.Protocol.Sockets;

namespace Redoubt.Storage.Hosting;

/// <summary>
/// Listens on the gRPC port and finds out what each connection is (<see cref="Greeting"/>): raw streams (<see cref="StreamServer"/>) keep their raw, blocking
/// socket and get a thread of their own once their secret is right; everything else goes to Kestrel. A socket that .NET's asynchronous engine has never
/// seen costs one system call a receive and no thread change, which is what a commit waits for.
/// </summary>
/// <remarks>One thread does it all and never waits for a peer. Whatever happens to a connection before it is served is its own affair
/// (<see cref="Refusals"/>).</remarks>
internal sealed class PortListener : IConnectionListener
{
    private const int AcceptsATurn = 64;
    private const int LookAgainMs = 20;
    private const int SweepMs = 500;
    private const int BackOffMs = 50;
    private const int SayEveryMs = 10_000;

    private readonly Socket _socket;
    private readonly SocketConnectionContextFactory _contexts;
    private readonly StreamServer _streams;
    private readonly PortLimits _limits;
    private readonly Refusals _refusals;
    private readonly ILogger _logger;
    private readonly Dictionary<Socket, Greeting> _greetings = [];
    private readonly ConnectionPlaces _unauthenticated;
    private readonly Channel<ConnectionContext> _others = Channel.CreateUnbounded<ConnectionContext>();
    private readonly Thread _thread;
    private long _saidAt = -SayEveryMs;
    private volatile bool _stopping;

    /// <param name="socket">Bound and listening.</param>
    /// <param name="streams">Takes raw streams over.</param>
    /// <param name="limits">How many connections there may be.</param>
    /// <param name="refusals">Counts those that are not served.</param>
    /// <param name="logs">For Kestrel's connections and this.</param>
    public PortListener(Socket socket, StreamServer streams, PortLimits limits, Refusals refusals, ILoggerFactory logs)
    {
        _socket = socket;
        _streams = streams;
        _limits = limits;
        _refusals = refusals;
        _unauthenticated = new ConnectionPlaces(limits.Unauthenticated);
        _logger = logs.CreateLogger("Redoubt.Storage");
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
        var watched = new List<Socket>();
        while (!_stopping)
        {
            try
            {
                Wait(watched);
                foreach (var socket in watched)
                {
                    if (socket == _socket)
                    {
                        Accept();
                    }
                    else
                    {
                        Look(_greetings[socket]);
                    }
                }

                Sweep();
            }
            catch (Exception e) when (!_stopping)
            {
                // No descriptor or no memory is left. The oldest that has said nothing frees one; the rest of the world goes on.
                SayFailing(e);
                GiveWay();
                Thread.Sleep(BackOffMs);
            }
            catch (Exception)
            {
                // The listening socket was closed: that is the end.
            }
        }

        foreach (var greeting in _greetings.Values)
        {
            greeting.Socket.Dispose();
        }

        _others.Writer.Complete();
    }

    /// <summary>Waits until there is something to do; afterwards the list holds the sockets that have it.</summary>
    private void Wait(List<Socket> watched)
    {
        watched.Clear();
        watched.Add(_socket);
        bool halfRead = false;
        foreach (var greeting in _greetings.Values)
        {
            if (greeting.IsHalfRead)
            {
                halfRead = true;
            }
            else
            {
                watched.Add(greeting.Socket);
            }
        }

        bool somebodyWaits = _greetings.Count > 0 || _unauthenticated.Count > 0;
        Socket.Select(watched, null, null, halfRead ? TimeSpan.FromMilliseconds(LookAgainMs) : somebodyWaits ? TimeSpan.FromMilliseconds(SweepMs) : Timeout.InfiniteTimeSpan);
        if (halfRead)
        {
            watched.AddRange(_greetings.Values.Where(g => g.IsHalfRead).Select(g => g.Socket));
        }
    }

    private void Accept()
    {
        for (int i = 0; i < AcceptsATurn && !_stopping && _socket.Poll(0, SelectMode.SelectRead); i++)
        {
            if (_greetings.Count >= _limits.Unauthenticated)
            {
                GiveWay();
            }

            var greeting = new Greeting(_socket.Accept());
            _greetings.Add(greeting.Socket, greeting);
            Look(greeting);
        }
    }

    /// <summary>Sends it away when it has said what it is.</summary>
    private void Look(Greeting greeting)
    {
        switch (greeting.Look(out var hello))
        {
            case Greeting.Outcome.Waiting:
                return;
            case Greeting.Outcome.Stream:
                _greetings.Remove(greeting.Socket);
                ServeStream(greeting.Socket, hello!);
                return;
            case Greeting.Outcome.Other:
                _greetings.Remove(greeting.Socket);
                ServeOther(greeting.Socket);
                return;
            case Greeting.Outcome.Malformed:
                Refuse(greeting, Refusals.Malformed);
                return;
            default:
                _greetings.Remove(greeting.Socket);
                greeting.Socket.Dispose();
                return;
        }
    }

    private void ServeStream(Socket socket, StreamHello hello)
    {
        if (_streams.TryServe(socket, hello) is { } reason)
        {
            _refusals.Add(reason);
            socket.Dispose();
        }
    }

    private void ServeOther(Socket socket)
    {
        try
        {
            TcpLiveness.Apply(socket);
            var connection = _contexts.Create(socket);
            _ = new GrpcAdmission(connection, _streams.Served, EnterUnauthenticated);
            _others.Writer.TryWrite(connection);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            socket.Dispose(); // it has gone
        }
    }

    private IDisposable EnterUnauthenticated(Action giveWay)
    {
        var place = _unauthenticated.Enter(giveWay, out bool gaveWay);
        if (gaveWay)
        {
            _refusals.Add(Refusals.Crowded);
        }

        return place;
    }

    /// <summary>Closes those whose time is over.</summary>
    private void Sweep()
    {
        long before = Environment.TickCount64 - (long)_limits.HelloTimeout.TotalMilliseconds;
        foreach (var greeting in _greetings.Values.Where(g => g.Since < before).ToArray())
        {
            Refuse(greeting, Refusals.Silent);
        }

        for (int expired = _unauthenticated.Expire(_limits.HelloTimeout); expired > 0; expired--)
        {
            _refusals.Add(Refusals.Silent);
        }
    }

    /// <summary>The one that has waited longest goes: who means it is through in milliseconds.</summary>
    private void GiveWay()
    {
        if (_greetings.Values.MinBy(g => g.Since) is { } oldest)
        {
            Refuse(oldest, Refusals.Crowded);
        }
    }

    private void Refuse(Greeting greeting, string reason)
    {
        _greetings.Remove(greeting.Socket);
        _refusals.Add(reason);
        greeting.Socket.Dispose();
    }

    private void SayFailing(Exception e)
    {
        if (Environment.TickCount64 - _saidAt > SayEveryMs)
        {
            _saidAt = Environment.TickCount64;
            _logger.AcceptFailing(e.Message);
        }
    }
}
