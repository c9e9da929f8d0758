using Grpc.Core;
using Redoubt.Compute.Volume;
using Redoubt.Wal;

namespace Redoubt.Compute.Shipping;

/// <summary>
/// The log's way to one segment: connects, tells it this writer's epoch and truncations when it missed them, then sends every shipment in order from
/// the first one it lacks, and hands its acknowledgements to the writer. Connects again for ever; never holds others up.
/// </summary>
public sealed class SegmentStream(VolumeWriter writer, GroupLog log, GrpcSegment segment, ILogger logger)
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ShortestDelay = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(1);
    private readonly Lock _sendLock = new();
    private IClientStreamWriter<Shipment>? _requests;
    private Shipment? _heartbeat;
    private Shipment? _sending;
    private long _cursor;
    private TimeSpan _delay = ShortestDelay;

    public GrpcSegment Segment => segment;

    /// <summary>True while its stream is open.</summary>
    public bool IsConnected { get; private set; }

    /// <summary>What it said last that it has applied.</summary>
    public ulong Applied { get; private set; }

    /// <summary>Bytes handed to it.</summary>
    public long BytesSent { get; private set; }

    /// <summary>Runs until cancelled or fenced.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        bool told = false;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                if (!await PrepareAsync(cancellationToken).ConfigureAwait(false))
                {
                    return;
                }

                await StreamAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is RpcException or StaleEpochException or SegmentUnavailableException or OperationCanceledException)
            {
                if (IsConnected || !told)
                {
                    logger.SegmentLost(segment.Name, segment.Group, e is RpcException rpc ? rpc.Status.Detail : e.Message);
                    told = true;
                }
            }
            finally
            {
                Disconnect();
            }

            try
            {
                await Task.Delay(_delay, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            _delay = _delay * 2 < LongestDelay ? _delay * 2 : LongestDelay;
        }
    }

    /// <summary>Sends what there is to send, unless a send is still in progress (it goes on by itself then).</summary>
    public void Pump()
    {
        lock (_sendLock)
        {
            PumpLocked();
        }
    }

    /// <summary>Sends this message once there is nothing else to send.</summary>
    public void Heartbeat(Shipment heartbeat)
    {
        lock (_sendLock)
        {
            if (_requests is null || _sending is not null)
            {
                return;
            }

            heartbeat.AddReference();
            _heartbeat = heartbeat;
            PumpLocked();
        }
    }

    private void PumpLocked()
    {
        while (_requests is { } requests && _sending is null)
        {
            var shipment = writer.Take(log, ref _cursor);
            if (shipment is not null)
            {
                _cursor++;
            }
            else if (_heartbeat is not null)
            {
                shipment = _heartbeat;
                _heartbeat = null;
            }
            else
            {
                return;
            }

            BytesSent += shipment.Length;
            Task sent;
            try
            {
                sent = requests.WriteAsync(shipment);
            }
            catch (Exception e) when (e is RpcException or InvalidOperationException)
            {
                shipment.Release();
                _requests = null; // the reading side sees the broken stream and connects again
                return;
            }

            if (sent.IsCompletedSuccessfully)
            {
                shipment.Release();
                continue;
            }

            _sending = shipment;
            sent.ContinueWith(
                static (task, state) => ((SegmentStream)state!).Sent(task),
                this,
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }
    }

    private void Sent(Task task)
    {
        lock (_sendLock)
        {
            _sending?.Release();
            _sending = null;
            if (task.IsCompletedSuccessfully)
            {
                PumpLocked();
            }
            else
            {
                _ = task.Exception;
                _requests = null;
            }
        }
    }

    private void Disconnect()
    {
        lock (_sendLock)
        {
            _requests = null;
            IsConnected = false;
            _heartbeat?.Release();
            _heartbeat = null;
        }
    }

    /// <summary>Makes the segment obey this writer. False: it obeys a newer one.</summary>
    private async Task<bool> PrepareAsync(CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(CallTimeout);
        var state = await segment.GetStateAsync(timeout.Token).ConfigureAwait(false);
        ulong epoch = writer.Volume.Epoch;
        if (state.Epoch < epoch)
        {
            state = await segment.OpenEpochAsync(epoch, timeout.Token).ConfigureAwait(false);
        }

        if (state.Epoch > epoch)
        {
            writer.Fence(state.Epoch, segment.Name);
            return false;
        }

        var history = writer.Volume.Histories[segment.Group];
        if (!state.Truncations.Any(t => t.Epoch == epoch))
        {
            state = await segment.TruncateAsync(history[^1], [.. history.SkipLast(1)], timeout.Token).ConfigureAwait(false);
        }

        Applied = state.Applied;
        lock (_sendLock)
        {
            _cursor = writer.Resume(this, log, state.Scl);
        }

        writer.Acknowledge(this, new Lsn(state.Scl));
        return true;
    }

    private async Task StreamAsync(CancellationToken cancellationToken)
    {
        using var call = segment.Process.LogCalls.AsyncDuplexStreamingCall(
            AppendMethod.Append, null, new CallOptions(cancellationToken: cancellationToken));
        await call.RequestStream.WriteAsync(AppendMethod.Open(segment.Id, writer.Volume.Epoch), cancellationToken).ConfigureAwait(false);
        while (!TryAttach(call.RequestStream))
        {
            await Task.Delay(1, cancellationToken).ConfigureAwait(false); // a send of the broken stream before this one is about to fail
        }

        logger.SegmentConnected(segment.Name, segment.Group);
        _delay = ShortestDelay;
        Pump();
        writer.StreamsChanged();
        while (await call.ResponseStream.MoveNext(cancellationToken).ConfigureAwait(false))
        {
            var reply = call.ResponseStream.Current;
            Applied = reply.Applied;
            if (reply.Epoch > writer.Volume.Epoch)
            {
                writer.Fence(reply.Epoch, segment.Name);
                return;
            }

            writer.Acknowledge(this, new Lsn(reply.Scl));
        }
    }

    private bool TryAttach(IClientStreamWriter<Shipment> requests)
    {
        lock (_sendLock)
        {
            if (_sending is not null)
            {
                return false;
            }

            _requests = requests;
            IsConnected = true;
            return true;
        }
    }
}
