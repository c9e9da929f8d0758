using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Redoubt.Storage.Hosting;

/// <summary>Makes Kestrel listen on a <see cref="SegmentEndPoint"/> with a <see cref="PortListener"/>, elsewhere with a <see cref="PatientListener"/>.</summary>
internal sealed class PortListenerFactory(Func<StreamServer> streams, PortLimits limits, Refusals refusals, ILoggerFactory logs) : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    public bool CanBind(EndPoint endpoint) => endpoint is IPEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        Socket socket;
        try
        {
            socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            throw new AddressInUseException(e.Message, e);
        }

        socket.Listen(512);
        return ValueTask.FromResult<IConnectionListener>(
            endpoint is SegmentEndPoint ? new PortListener(socket, streams(), limits, refusals, logs) : new PatientListener(socket, logs));
    }
}

/// <summary>The endpoint that gRPC and raw streams share.</summary>
internal sealed class SegmentEndPoint(IPEndPoint at) : IPEndPoint(at.Address, at.Port);
