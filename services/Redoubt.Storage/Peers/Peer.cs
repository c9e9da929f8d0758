using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Segments;

namespace Redoubt.Storage.Peers;

/// <summary>Another copy's process.</summary>
internal sealed class Peer : IDisposable
{
    private readonly GrpcChannel _channel;

    public Peer(int index, Uri endpoint, string secret, DrillState drills)
    {
        Index = index;
        Name = $"storage-{index} ({endpoint.Authority})";
        _channel = GrpcChannel.ForAddress(endpoint, new GrpcChannelOptions
        {
            MaxReceiveMessageSize = null, // a row of its page store may be as long as a record
            HttpHandler = new SocketsHttpHandler
            {
                EnableMultipleHttp2Connections = false,
                ConnectTimeout = TimeSpan.FromSeconds(2),
                PooledConnectionIdleTimeout = TimeSpan.FromMinutes(5),
                KeepAlivePingDelay = TimeSpan.FromSeconds(10),
                KeepAlivePingTimeout = TimeSpan.FromSeconds(5),
                UseProxy = false,
            },
        });
        Client = new SegmentService.SegmentServiceClient(_channel.Intercept(metadata =>
        {
            if (drills.Partitioned)
            {
                throw new RpcException(new Status(StatusCode.Unavailable, "partitioned (drill)"));
            }

            if (secret.Length > 0)
            {
                metadata.Add("authorization", "Bearer " + secret);
            }

            return metadata;
        }));
    }

    public int Index { get; }

    public string Name { get; }

    public SegmentService.SegmentServiceClient Client { get; }

    public void Dispose() => _channel.Dispose();
}
