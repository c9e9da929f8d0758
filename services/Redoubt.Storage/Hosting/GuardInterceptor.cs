using System.Globalization;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Redoubt.Protocol;
using Redoubt.Storage.Chain;
using Redoubt.Storage.Pages;
using Redoubt.Storage.Segments;

namespace Redoubt.Storage.Hosting;

/// <summary>The door of the gRPC service, behind <see cref="GrpcAuthentication"/>: partitions of drills, and exceptions as statuses.</summary>
/// <remarks>Trailer <c>redoubt-reason</c>: epoch (with <c>redoubt-epoch</c>), incomplete, not-applied, unsettled, joining, horizon, shape,
/// contradiction, corrupt, frame.</remarks>
internal sealed class GuardInterceptor(StorageOptions options, DrillState drills, ILogger<GuardInterceptor> logger) : Interceptor
{
    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation) =>
        Guard(context, () => continuation(request, context));

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> stream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation) =>
        Guard(context, async () =>
        {
            await continuation(request, stream, context).ConfigureAwait(false);
            return true;
        });

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requests, IServerStreamWriter<TResponse> stream, ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation) =>
        Guard(context, async () =>
        {
            await continuation(requests, stream, context).ConfigureAwait(false);
            return true;
        });

    private async Task<T> Guard<T>(ServerCallContext context, Func<Task<T>> call)
    {
        if (drills.Partitioned)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, "partitioned (drill)"));
        }

        try
        {
            return await call().ConfigureAwait(false);
        }
        catch (Exception e) when (e is not RpcException)
        {
            throw Translate(e, context);
        }
    }

    private Exception Translate(Exception e, ServerCallContext context)
    {
        switch (e)
        {
            case EpochRefusedException refused:
                return Status(StatusCode.FailedPrecondition, "epoch", e.Message,
                    new Metadata.Entry("redoubt-epoch", refused.Current.ToString(CultureInfo.InvariantCulture)));
            case SegmentNotReadyException { Reason: NotReadyReason.Joining }:
                return Status(StatusCode.Unavailable, "joining", e.Message);
            case SegmentNotReadyException { Reason: NotReadyReason.NotApplied }:
                return Status(StatusCode.FailedPrecondition, "not-applied", e.Message);
            case SegmentNotReadyException { Reason: NotReadyReason.Incomplete }:
                return Status(StatusCode.FailedPrecondition, "incomplete", e.Message);
            case SegmentNotReadyException:
                return Status(StatusCode.FailedPrecondition, "unsettled", e.Message);
            case HorizonException:
                return Status(StatusCode.OutOfRange, "horizon", e.Message);
            case ShapeMismatchException:
                return Status(StatusCode.InvalidArgument, "shape", e.Message);
            case UnknownSegmentException:
                return Status(StatusCode.NotFound, "segment", e.Message);
            case ChainException:
                return Status(StatusCode.Aborted, "contradiction", e.Message);
            case StoreCorruptException:
                return Status(StatusCode.DataLoss, "corrupt", e.Message);
            case LogFrameException or ArgumentException:
                return Status(StatusCode.InvalidArgument, "frame", e.Message);
            case IOException when context.Method.EndsWith("/Append", StringComparison.Ordinal):
                // Only the stream itself fails so: the disk's errors stay with the append thread.
                return Status(StatusCode.Cancelled, "cancelled", "the caller went away");
            case OperationCanceledException or IOException or InvalidOperationException when context.CancellationToken.IsCancellationRequested:
                return Status(StatusCode.Cancelled, "cancelled", "the caller went away");
            case ObjectDisposedException:
                return Status(StatusCode.Unavailable, "stopping", $"{options.Name} is stopping");
            default:
                logger.CallFailed(context.Method, e);
                return Status(StatusCode.Internal, "internal", $"{options.Name}: {e.GetType().Name}: {e.Message}");
        }
    }

    private static RpcException Status(StatusCode code, string reason, string message, params Metadata.Entry[] more)
    {
        var trailers = new Metadata { { "redoubt-reason", reason } };
        foreach (var entry in more)
        {
            trailers.Add(entry);
        }

        return new RpcException(new Status(code, message), trailers);
    }
}
