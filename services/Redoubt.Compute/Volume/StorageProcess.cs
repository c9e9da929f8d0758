using System.Net;
using System.Net.Http;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Redoubt.Compute.Configuration;
using Redoubt.Protocol.V1;

namespace Redoubt.Compute.Volume;

/// <summary>Connections to one storage process: one for the log, so that no page waits in front of a commit, and one for everything else.</summary>
public sealed class StorageProcess : IDisposable
{
    private readonly GrpcChannel _logChannel;
    private readonly GrpcChannel _pageChannel;

    public StorageProcess(SegmentEndpoint endpoint, int copy, string? secret)
    {
        Name = endpoint.Name;
        Address = endpoint.Address.ToString().TrimEnd('/');
        Copy = copy;
        _logChannel = Connect(endpoint.Address);
        _pageChannel = Connect(endpoint.Address);
        LogCalls = Authorise(_logChannel, secret);
        Client = new SegmentService.SegmentServiceClient(Authorise(_pageChannel, secret));
    }

    public string Name { get; }

    public string Address { get; }

    public int Copy { get; }

    /// <summary>For everything but the log.</summary>
    public SegmentService.SegmentServiceClient Client { get; }

    /// <summary>For the log.</summary>
    public CallInvoker LogCalls { get; }

    public void Dispose()
    {
        _logChannel.Dispose();
        _pageChannel.Dispose();
    }

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
            ActivityHeadersPropagator = null,
        },
        HttpVersion = HttpVersion.Version20,
        MaxReceiveMessageSize = 256 << 20,
        MaxSendMessageSize = 256 << 20,
        InitialReconnectBackoff = TimeSpan.FromMilliseconds(50),
        MaxReconnectBackoff = TimeSpan.FromSeconds(1),
        DisposeHttpClient = true,
    });
}
