using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Redoubt.Storage.Hosting;

/// <summary>Listens for Kestrel as Kestrel's own listener does, but when no descriptor or memory is left it waits a moment before it tries again: that one
/// tries at once, for ever, and takes a whole processor meanwhile.</summary>
internal sealed class PatientListener(Socket socket, ILoggerFactory logs) : IConnectionListener
{
    private static readonly TimeSpan BackOff = TimeSpan.FromMilliseconds(50);

    private readonly SocketConnectionContextFactory _contexts =
        new(new SocketConnectionFactoryOptions(), logs.CreateLogger("Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets"));

    public EndPoint EndPoint { get; } = socket.LocalEndPoint!;

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            try
            {
                var accepted = await socket.AcceptAsync(cancellationToken).ConfigureAwait(false);
                accepted.NoDelay = true;
                return _contexts.Create(accepted);
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException { SocketErrorCode: SocketError.OperationAborted })
            {
                return null; // unbound: that is the end
            }
            catch (SocketException)
            {
                await Task.Delay(BackOff, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        socket.Dispose();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        socket.Dispose();
        _contexts.Dispose();
        return ValueTask.CompletedTask;
    }
}
