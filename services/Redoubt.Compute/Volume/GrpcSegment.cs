using System.Net.Sockets;
using Google.Protobuf;
using Grpc.Core;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Wal;

namespace Redoubt.Compute.Volume;

/// <summary>A segment over gRPC.</summary>
public sealed class GrpcSegment(StorageProcess process, string volume, int group, VolumeShape shape, PgVersion version, string writer) : ISegment
{
    private readonly SegmentService.SegmentServiceClient _client = process.Client;

    public string Name => process.Name;

    public int Copy => process.Copy;

    public int Group => group;

    public string Endpoint => process.Address;

    /// <summary>The process that hosts it.</summary>
    public StorageProcess Process => process;

    public SegmentId Id { get; } = new() { Volume = volume, Group = (uint)group };

    /// <summary>Connects a raw stream and says hello.</summary>
    /// <param name="magic">Which kind: <see cref="LogStream.Magic"/> or <see cref="PageStream.Magic"/>.</param>
    /// <param name="epoch">The caller's.</param>
    /// <param name="timeoutMs">For finding the process, for connecting, and for each send.</param>
    /// <exception cref="SocketException">The process does not answer.</exception>
    public Socket OpenStream(uint magic, ulong epoch, int timeoutMs)
    {
        using var dial = Dial(magic, epoch, timeoutMs);
        return dial.Finish(timeoutMs);
    }

    /// <summary>Begins to connect a raw stream.</summary>
    /// <param name="magic">Which kind: <see cref="LogStream.Magic"/> or <see cref="PageStream.Magic"/>.</param>
    /// <param name="epoch">The caller's.</param>
    /// <param name="timeoutMs">For finding the process, and for each send.</param>
    /// <exception cref="SocketException">The process cannot be found or reached.</exception>
    public StreamDial Dial(uint magic, ulong epoch, int timeoutMs) =>
        new(process.FindAddresses(timeoutMs), new StreamHello(magic, volume, group, epoch, process.Secret), timeoutMs);

    public Task<SegmentState> GetStateAsync(CancellationToken cancellationToken) =>
        Call(0, _client.GetStateAsync(Id, cancellationToken: cancellationToken), cancellationToken);

    public Task<SegmentState> OpenEpochAsync(ulong epoch, CancellationToken cancellationToken) => Call(
        epoch,
        _client.OpenEpochAsync(
            new OpenEpochRequest
            {
                Segment = Id,
                Epoch = epoch,
                Writer = writer,
                PgVersion = (uint)version,
                Copies = (uint)shape.Copies,
                WriteQuorum = (uint)shape.WriteQuorum,
                ReadQuorum = (uint)shape.ReadQuorum,
                Groups = (uint)shape.Groups,
            },
            cancellationToken: cancellationToken),
        cancellationToken);

    public Task<SegmentState> TruncateAsync(Truncation truncation, IReadOnlyList<Truncation> history, CancellationToken cancellationToken)
    {
        var request = new TruncateRequest { Segment = Id, Epoch = truncation.Epoch, Above = truncation.Above, GroupEnd = truncation.GroupEnd };
        request.History.AddRange(history);
        return Call(truncation.Epoch, _client.TruncateAsync(request, cancellationToken: cancellationToken), cancellationToken);
    }

    public Task<SegmentState> CatchUpAsync(ulong epoch, ulong target, IReadOnlyList<string> peers, CancellationToken cancellationToken)
    {
        var request = new CatchUpRequest { Segment = Id, Epoch = epoch, Target = target };
        request.Peers.AddRange(peers);
        return Call(epoch, _client.CatchUpAsync(request, cancellationToken: cancellationToken), cancellationToken);
    }

    public async Task<IReadOnlyList<LogPosition>> FetchPositionsAsync(ulong epoch, ulong from, CancellationToken cancellationToken)
    {
        var positions = new List<LogPosition>();
        try
        {
            using var call = _client.FetchLog(new FetchLogRequest { Segment = Id, Epoch = epoch, From = from }, cancellationToken: cancellationToken);
            await foreach (var chunk in call.ResponseStream.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                ReadPositions(chunk.Frame, positions);
            }
        }
        catch (RpcException e)
        {
            throw Translate(e, epoch, cancellationToken);
        }

        return positions;
    }

    private static void ReadPositions(ByteString bytes, List<LogPosition> positions)
    {
        var rest = bytes.Span;
        while (rest.Length > 0)
        {
            var frame = LogFrame.Parse(rest);
            foreach (var entry in frame.Entries)
            {
                positions.Add(new LogPosition(entry.Start.Value, entry.End.Value, entry.PrevEnd.Value, entry.GroupMask, entry.Kind));
            }

            rest = rest[frame.Bytes.Length..];
        }
    }

    private async Task<SegmentState> Call(ulong epoch, AsyncUnaryCall<SegmentState> call, CancellationToken cancellationToken)
    {
        try
        {
            var state = await call.ConfigureAwait(false);
            state.Segment ??= Id;
            return state;
        }
        catch (RpcException e)
        {
            throw Translate(e, epoch, cancellationToken);
        }
    }

    private Exception Translate(RpcException e, ulong epoch, CancellationToken cancellationToken) => e.StatusCode switch
    {
        StatusCode.FailedPrecondition => new StaleEpochException($"{Name} group {group}", epoch, e.Status.Detail),
        StatusCode.Cancelled or StatusCode.DeadlineExceeded when cancellationToken.IsCancellationRequested =>
            new OperationCanceledException($"{Name} group {group} did not answer in time", e, cancellationToken),
        _ => new SegmentUnavailableException($"{Name} group {group}", e.Status.Detail, e),
    };
}
