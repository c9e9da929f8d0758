using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Redoubt.Compute.Configuration;
using Redoubt.Protocol.V1;

namespace Redoubt.Compute.Volume;

/// <summary>One storage process: where it is, and the connection for everything but the log.</summary>
public sealed class StorageProcess : IDisposable
{
    private readonly GrpcChannel _channel;
    private volatile IReadOnlyList<IPEndPoint> _addresses = [];

    public StorageProcess(SegmentEndpoint endpoint, int copy, string? secret)
    {
        Name = endpoint.Name;
        Address = endpoint.Address.ToString().TrimEnd('/');
        Copy = copy;
        Host = endpoint.Address.Host;
        Port = endpoint.Address.Port;
        Secret = secret ?? string.Empty;
        _channel = Connect(endpoint.Address);
        Client = new SegmentService.SegmentServiceClient(Authorise(_channel, secret));
    }

    public string Name { get; }

    public string Address { get; }

    public int Copy { get; }

    /// <summary>For everything but the log.</summary>
    public SegmentService.SegmentServiceClient Client { get; }

    public string Host { get; }

    public int Port { get; }

    /// <summary>Shared secret; empty: none.</summary>
    public string Secret { get; }

    /// <summary>Where it is now. A name that nobody resolves in time is where it was last.</summary>
    /// <exception cref="SocketException">It was never anywhere.</exception>
    public IReadOnlyList<IPEndPoint> FindAddresses(int timeoutMs)
    {
        if (IPAddress.TryParse(Host.Trim('[', ']'), out var address))
        {
            return [new IPEndPoint(address, Port)];
        }

        using var patience = new CancellationTokenSource(timeoutMs);
        try
        {
            _addresses = [.. Dns.GetHostAddressesAsync(Host, patience.Token).GetAwaiter().GetResult().Select(a => new IPEndPoint(a, Port))];
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            if (_addresses.Count == 0)
            {
                throw e as SocketException ?? new SocketException((int)SocketError.TryAgain);
            }
        }

        return _addresses;
    }

    public void Dispose() => _channel.Dispose();

    private static CallInvoker Authorise(GrpcChannel channel, string? secret)
    {
        var invoker = channel.CreateCallInvoker();
        return secret is null ? invoker : invoker.Intercept(metadata =>
        {
            metadata.Add("authorization", $"Bearer {secret}");
            return metadata;
        });
    }

    private static GrpcChannel Connect(Uri address) => GrpcChannel.ForAddress(address, new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(2),
            EnableMultipleHttp2Connections = false,
            InitialHttp2StreamWindowSize = 4 << 20,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            KeepAlivePingDelay = TimeSpan.FromSeconds(5),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(5),
            UseProxy = false,
        },
        HttpVersion = HttpVersion.Version20,
        MaxReceiveMessageSize = null, // a prepared transaction's state may be as long as a record
        InitialReconnectBackoff = TimeSpan.FromMilliseconds(50),
        MaxReconnectBackoff = TimeSpan.FromMilliseconds(250),
        DisposeHttpClient = true,
    });
}
