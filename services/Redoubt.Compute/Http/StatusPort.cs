using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Redoubt.Protocol.Sockets;

namespace Redoubt.Compute.Http;

/// <summary>The port of <see cref="StatusEndpoints"/> and metrics: anybody may ask, so nobody may take much.</summary>
public static class StatusPort
{
    private const int MaxConnections = 64;
    private const int MaxHeaderBytes = 8 << 10;
    private const int MaxBodyBytes = 4 << 10;

    /// <summary>Listens with limits. When all places are taken, the connection that has been there longest gives way.</summary>
    public static void Configure(KestrelServerOptions kestrel, IPEndPoint at)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestHeadersTotalSize = MaxHeaderBytes;
        kestrel.Limits.MaxRequestLineSize = MaxHeaderBytes;
        kestrel.Limits.MaxRequestHeaderCount = 50;
        kestrel.Limits.MaxRequestBodySize = MaxBodyBytes;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        var places = new ConnectionPlaces(MaxConnections);
        kestrel.Listen(at, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listen.Use(next => async connection =>
            {
                using var place = places.Enter(connection.Abort, out _);
                await next(connection).ConfigureAwait(false);
            });
        });
    }
}
