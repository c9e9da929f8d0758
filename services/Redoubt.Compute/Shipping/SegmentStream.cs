using System.Buffers.Binary;
using System.Net.Sockets;
using Redoubt.Compute.Volume;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Shipping;

/// <summary>
/// The log's way to one segment (<see cref="LogStream"/>): connects, tells it this writer's epoch and truncations when it missed them, then sends
/// every shipment in order from the first one it lacks, and hands its acknowledgements to the writer. Connects again for ever; never holds others up:
/// sockets do not block.
/// </summary>
public sealed class SegmentStream(VolumeWriter writer, GroupLog log, GrpcSegment segment, ILogger logger)
{
    private const int AckBufferLength = 64 * LogStream.AckLength;
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ShortestDelay = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(1);
    private readonly Lock _sendLock = new();
    private readonly byte[] _acks = new byte[AckBufferLength];
    private int _ackBytes;
    private Socket? _socket;
    private TaskCompletionSource<string> _broken = new();
    private Shipment? _sending;     // what did not fit the socket: the rest of it goes first
    private int _sent;
    private bool _wantsRoom;
    private long _cursor;
    private long _heardAt;
    private ulong _acknowledged;
    private TimeSpan _delay = ShortestDelay;

    public GrpcSegment Segment => segment;

    /// <summary>True while its stream is open.</summary>
    public bool IsConnected { get; private set; }

    /// <summary>When it was still of this writer's epoch: ms of <see cref="BootClock"/>, as of the newest batch that it had; 0: never.</summary>
    public ulong ConfirmedMs { get; private set; }

    /// <summary>True when it has not acknowledged all that was sent to it.</summary>
    internal bool OwesAcknowledgement => _acknowledged < log.ShippedEnd;

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

                string why = await StreamAsync(cancellationToken).ConfigureAwait(false);
                logger.SegmentLost(segment.Name, segment.Group, why);
                told = true;
            }
            catch (Exception) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // Whatever it is about this segment: the others go on, and this one is tried again.
                if (!told)
                {
                    logger.SegmentLost(segment.Name, segment.Group, e.Message);
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

    /// <summary>Sends what there is to send, as far as the socket takes it.</summary>
    public void Pump()
    {
        lock (_sendLock)
        {
            PumpLocked();
        }
    }

    /// <summary>Sends this message unless a send is still in progress (its successor will say the same or more).</summary>
    public void Heartbeat(Shipment heartbeat)
    {
        lock (_sendLock)
        {
            PumpLocked();
            if (_socket is not null && _sending is null)
            {
                heartbeat.AddReference();
                _sending = heartbeat;
                _sent = 0;
                SendRestLocked();
            }
        }
    }

    /// <summary>What to poll; false while there is no stream.</summary>
    internal bool TryGetPoll(out int descriptor, out bool wantsRoom)
    {
        lock (_sendLock)
        {
            wantsRoom = _wantsRoom;
            descriptor = _socket is null ? -1 : (int)_socket.Handle;
            return _socket is not null;
        }
    }

    /// <summary>Reads what the segment said; the last acknowledgement counts.</summary>
    internal void ReadAcks()
    {
        if (_socket is not { } socket)
        {
            return;
        }

        int n;
        try
        {
            n = socket.Receive(_acks.AsSpan(_ackBytes), SocketFlags.None, out var error);
            if (error == SocketError.WouldBlock)
            {
                return;
            }

            if (error != SocketError.Success || n == 0)
            {
                Break(n == 0 ? "the segment closed the stream" : $"receiving failed: {error}");
                return;
            }
        }
        catch (ObjectDisposedException)
        {
            return;
        }

        _ackBytes += n;
        int whole = _ackBytes / LogStream.AckLength * LogStream.AckLength;
        if (whole == 0)
        {
            return;
        }

        var ack = _acks.AsSpan(whole - LogStream.AckLength, LogStream.AckLength);
        ulong scl = BinaryPrimitives.ReadUInt64LittleEndian(ack);
        ulong applied = BinaryPrimitives.ReadUInt64LittleEndian(ack[8..]);
        ulong epoch = BinaryPrimitives.ReadUInt64LittleEndian(ack[16..]);
        ulong clock = BinaryPrimitives.ReadUInt64LittleEndian(ack[24..]);
        _acks.AsSpan(whole, _ackBytes - whole).CopyTo(_acks);
        _ackBytes -= whole;
        _heardAt = Environment.TickCount64;
        if (epoch > writer.Volume.Epoch)
        {
            writer.Fence(epoch, segment.Name);
            return;
        }

        Applied = applied;
        ConfirmedMs = Math.Max(ConfirmedMs, clock);
        _acknowledged = scl;
        writer.Acknowledge(this, new Lsn(scl));
    }

    /// <summary>The socket takes bytes again.</summary>
    internal void HasRoom()
    {
        lock (_sendLock)
        {
            _wantsRoom = false;
            PumpLocked();
        }
    }

    /// <summary>Gives a stream up that answers nothing: heartbeats are answered every second.</summary>
    internal void BreakIfSilentSince(long tick)
    {
        if (IsConnected && _heardAt < tick)
        {
            Break("the segment answers nothing any more");
        }
    }

    private void PumpLocked()
    {
        while (_socket is not null)
        {
            if (_sending is null)
            {
                _sending = writer.Take(log, ref _cursor);
                if (_sending is null)
                {
                    return;
                }

                _cursor++;
                _sent = 0;
            }

            if (!SendRestLocked())
            {
                return;
            }
        }
    }

    /// <summary>True when the shipment in hand is wholly sent.</summary>
    private bool SendRestLocked()
    {
        if (_wantsRoom)
        {
            return false;
        }

        var rest = _sending!.Message.Span[_sent..];
        while (rest.Length > 0)
        {
            int n = _socket!.Send(rest, SocketFlags.None, out var error);
            if (error == SocketError.WouldBlock)
            {
                _wantsRoom = true;
                return false;
            }

            if (error != SocketError.Success)
            {
                BreakLocked($"sending failed: {error}");
                return false;
            }

            _sent += n;
            BytesSent += n;
            rest = rest[n..];
        }

        _sending.Release();
        _sending = null;
        return true;
    }

    private void Break(string why)
    {
        lock (_sendLock)
        {
            BreakLocked(why);
        }
    }

    private void BreakLocked(string why)
    {
        IsConnected = false;
        _socket?.Dispose();
        _socket = null;
        _broken.TrySetResult(why);
    }

    private void Disconnect()
    {
        lock (_sendLock)
        {
            BreakLocked("closed");
            _sending?.Release();
            _sending = null;
            _wantsRoom = false;
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

    /// <summary>Opens the stream and waits until it breaks; the result says why.</summary>
    private async Task<string> StreamAsync(CancellationToken cancellationToken)
    {
        var socket = await Task.Run(Connect, cancellationToken).ConfigureAwait(false);
        socket.Blocking = false;
        var broken = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_sendLock)
        {
            _broken = broken;
            _ackBytes = 0;
            _heardAt = Environment.TickCount64;
            _socket = socket;
            IsConnected = true;
        }

        logger.SegmentConnected(segment.Name, segment.Group);
        _delay = ShortestDelay;
        Pump();
        writer.StreamsChanged();
        return await broken.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Blocking: every acknowledgement that <see cref="AckThread"/> reads would wake the threads of the asynchronous engine too.</summary>
    private Socket Connect() => segment.OpenStream(LogStream.Magic, writer.Volume.Epoch, (int)CallTimeout.TotalMilliseconds);
}
