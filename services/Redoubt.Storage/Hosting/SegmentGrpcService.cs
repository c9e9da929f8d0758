using Grpc.Core;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Segments;

namespace Redoubt.Storage.Hosting;

/// <summary>The gRPC face of the segments. Thin: finds the segment, calls it; <see cref="GuardInterceptor"/> turns exceptions into statuses.</summary>
internal sealed class SegmentGrpcService(SegmentHost host) : SegmentService.SegmentServiceBase
{
    public override async Task Append(IAsyncStreamReader<AppendRequest> requests, IServerStreamWriter<AppendReply> replies, ServerCallContext context)
    {
        if (!await requests.MoveNext(context.CancellationToken).ConfigureAwait(false) || requests.Current.Open is not { } open)
        {
            throw new ArgumentException("the first request of an append stream must be AppendOpen");
        }

        var segment = host.Find(open.Segment);
        AppendSession session;
        try
        {
            session = segment.OpenAppend(open.Epoch);
        }
        catch (Chain.EpochRefusedException e)
        {
            await replies.WriteAsync(new AppendReply { Epoch = e.Current }).ConfigureAwait(false);
            return;
        }

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        try
        {
            var acks = session.RunAcksAsync(replies, ended.Token);
            var reads = ReadAsync(session, requests, ended.Token);
            await Task.WhenAny(acks, reads).ConfigureAwait(false);
            bool readsEnded = !acks.IsCompleted;
            await ended.CancelAsync().ConfigureAwait(false);
            await Settle(readsEnded ? acks : reads).ConfigureAwait(false);
            await (readsEnded ? reads : acks).ConfigureAwait(false);
        }
        finally
        {
            segment.CloseAppend(session);
        }
    }

    public override Task<GetPagesReply> GetPages(GetPagesRequest request, ServerCallContext context) =>
        host.Find(request.Segment).GetPagesAsync(request, context.CancellationToken);

    public override Task<GetFreeSpaceReply> GetFreeSpace(GetFreeSpaceRequest request, ServerCallContext context) =>
        host.Find(request.Segment).GetFreeSpaceAsync(request, context.CancellationToken);

    public override async Task GetBootstrap(GetBootstrapRequest request, IServerStreamWriter<BootstrapChunk> stream, ServerCallContext context)
    {
        foreach (var chunk in await host.Find(request.Segment).BootstrapAsync(request, context.CancellationToken).ConfigureAwait(false))
        {
            await stream.WriteAsync(chunk, context.CancellationToken).ConfigureAwait(false);
        }
    }

    public override Task<SegmentState> OpenEpoch(OpenEpochRequest request, ServerCallContext context) =>
        host.Find(request.Segment).OpenEpochAsync(request, context.CancellationToken);

    public override Task<SegmentState> Truncate(TruncateRequest request, ServerCallContext context) =>
        Task.FromResult(host.Find(request.Segment).Truncate(request));

    public override Task<SegmentState> CatchUp(CatchUpRequest request, ServerCallContext context) =>
        host.Find(request.Segment).CatchUpAsync(request, context.CancellationToken);

    public override async Task FetchLog(FetchLogRequest request, IServerStreamWriter<LogChunk> stream, ServerCallContext context)
    {
        await foreach (var chunk in host.Find(request.Segment).FetchLogAsync(request, context.CancellationToken).ConfigureAwait(false))
        {
            await stream.WriteAsync(chunk, context.CancellationToken).ConfigureAwait(false);
        }
    }

    public override async Task FetchPages(FetchPagesRequest request, IServerStreamWriter<PageChunk> stream, ServerCallContext context)
    {
        await foreach (var chunk in host.Find(request.Segment).FetchPagesAsync(request, context.CancellationToken).ConfigureAwait(false))
        {
            await stream.WriteAsync(chunk, context.CancellationToken).ConfigureAwait(false);
        }
    }

    public override async Task ChecksumPages(ChecksumPagesRequest request, IServerStreamWriter<PageChecksums> stream, ServerCallContext context)
    {
        await foreach (var chunk in host.Find(request.Segment).ChecksumPagesAsync(request, context.CancellationToken).ConfigureAwait(false))
        {
            await stream.WriteAsync(chunk, context.CancellationToken).ConfigureAwait(false);
        }
    }

    public override Task<SegmentState> GetState(SegmentId request, ServerCallContext context) => Task.FromResult(host.Find(request).State());

    public override Task<ProcessState> GetProcessState(ProcessStateRequest request, ServerCallContext context)
    {
        var state = new ProcessState { Name = host.Name, Zone = host.Zone, Index = (uint)host.Index };
        state.Segments.AddRange(host.Segments.Select(s => s.State()));
        return Task.FromResult(state);
    }

    private static async Task ReadAsync(AppendSession session, IAsyncStreamReader<AppendRequest> requests, CancellationToken cancellation)
    {
        while (await requests.MoveNext(cancellation).ConfigureAwait(false))
        {
            if (requests.Current.Batch is not { } batch)
            {
                throw new LogFrameException("an append stream carries batches after its first request");
            }

            await session.SubmitAsync(batch).ConfigureAwait(false);
        }
    }

    private static async Task Settle(Task task)
    {
        try
        {
            await task.ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or RpcException or IOException or InvalidOperationException)
        {
            // It was told to stop.
        }
    }
}
