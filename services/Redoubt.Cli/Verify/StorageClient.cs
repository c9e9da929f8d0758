using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Redoubt.Protocol.V1;
using Redoubt.Wal;

namespace Redoubt.Cli.Verify;

/// <summary>One storage process, asked as the compute asks it.</summary>
internal sealed class StorageClient : IDisposable
{
    private const int MaxMessageBytes = 64 << 20;
    private readonly GrpcChannel _channel;
    private readonly SegmentService.SegmentServiceClient _client;

    /// <param name="name">Such as <c>storage-0</c>.</param>
    /// <param name="endpoint">Its gRPC address.</param>
    /// <param name="secret">Shared secret; empty: none.</param>
    public StorageClient(string name, string endpoint, string secret)
    {
        Name = name;
        _channel = GrpcChannel.ForAddress(endpoint, new GrpcChannelOptions { MaxReceiveMessageSize = MaxMessageBytes });
        var invoker = secret.Length == 0 ? _channel.CreateCallInvoker()
            : _channel.Intercept(metadata =>
            {
                metadata.Add("authorization", $"Bearer {secret}");
                return metadata;
            });
        _client = new SegmentService.SegmentServiceClient(invoker);
    }

    public string Name { get; }

    /// <summary>What it holds of a group.</summary>
    public async Task<SegmentState> StateAsync(SegmentId segment, CancellationToken cancellation) =>
        await _client.GetStateAsync(segment, deadline: DateTime.UtcNow.AddSeconds(5), cancellationToken: cancellation);

    /// <summary>Checksum of every page at <paramref name="at"/>, in key order.</summary>
    public async Task<List<(PageKey Key, uint Crc)>> ChecksumsAsync(SegmentId segment, ulong epoch, ulong at, CancellationToken cancellation)
    {
        var all = new List<(PageKey, uint)>();
        var request = new ChecksumPagesRequest { Segment = segment, Epoch = epoch, ReadPoint = at, CompleteAt = at };
        using var call = _client.ChecksumPages(request, cancellationToken: cancellation);
        await foreach (var chunk in call.ResponseStream.ReadAllAsync(cancellation))
        {
            var keys = chunk.Keys.Span;
            var crcs = chunk.Crcs.Span;
            for (int i = 0; i * PageKey.EncodedLength < keys.Length; i++)
            {
                all.Add((PageKey.Read(keys[(i * PageKey.EncodedLength)..]), System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(crcs[(i * 4)..])));
            }
        }

        return all;
    }

    /// <summary>Pages at <paramref name="at"/>, and which of them exist.</summary>
    public async Task<GetPagesReply> PagesAsync(SegmentId segment, ulong epoch, ulong at, IReadOnlyList<PageKey> keys, CancellationToken cancellation)
    {
        byte[] encoded = new byte[keys.Count * PageKey.EncodedLength];
        for (int i = 0; i < keys.Count; i++)
        {
            keys[i].Write(encoded.AsSpan(i * PageKey.EncodedLength));
        }

        return await _client.GetPagesAsync(
            new GetPagesRequest { Segment = segment, Epoch = epoch, ReadPoint = at, CompleteAt = at, Keys = Google.Protobuf.UnsafeByteOperations.UnsafeWrap(encoded) },
            deadline: DateTime.UtcNow.AddSeconds(30),
            cancellationToken: cancellation);
    }

    /// <inheritdoc/>
    public void Dispose() => _channel.Dispose();
}
