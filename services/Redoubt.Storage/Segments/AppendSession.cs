using System.Threading.Channels;
using Grpc.Core;
using Redoubt.Protocol.V1;
using Redoubt.Storage.LogFiles;

namespace Redoubt.Storage.Segments;

/// <summary>One writer's open stream to one segment. Acknowledgements go back whenever the chain moved.</summary>
internal sealed class AppendSession(Segment segment, ulong epoch)
{
    private readonly Channel<bool> _wakeups = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    private Exception? _failure;

    /// <summary>The writer's epoch.</summary>
    public ulong Epoch => epoch;

    /// <summary>Set once a frame was refused because a newer writer came.</summary>
    public bool IsFenced { get; set; }

    /// <summary>When set, called instead of waking <see cref="RunAcksAsync"/>; on any thread, perhaps under the segment's lock.</summary>
    public Action? OnWake { get; set; }

    /// <summary>Why the stream cannot go on; null while it can.</summary>
    public Exception? Failure => Volatile.Read(ref _failure);

    /// <summary>Takes one batch: frame to the log, LSNs to the segment.</summary>
    /// <exception cref="Protocol.LogFrameException">The frame is damaged.</exception>
    public async Task SubmitAsync(AppendBatch batch)
    {
        segment.Hear(this, batch.Vdl, batch.GroupVdl, batch.GcHorizon);
        if (batch.Frame.Length == 0)
        {
            Wake();
            return;
        }

        var frame = PendingAppend.Parse(batch.Frame.Memory, this);
        await Task.Run(() => segment.Log.Append([frame])).ConfigureAwait(false);
    }

    /// <summary>Something to tell the writer.</summary>
    public void Wake()
    {
        if (OnWake is { } direct)
        {
            direct();
        }
        else
        {
            _wakeups.Writer.TryWrite(true);
        }
    }

    /// <summary>The stream cannot go on.</summary>
    public void Fail(Exception error)
    {
        Interlocked.CompareExchange(ref _failure, error, null);
        Wake();
    }

    /// <summary>Sends acknowledgements until the writer is fenced (then the last reply names the newer epoch) or cancelled.</summary>
    /// <exception cref="Chain.ChainException">The writer's log contradicts this segment's.</exception>
    public async Task RunAcksAsync(IServerStreamWriter<AppendReply> replies, CancellationToken cancellation)
    {
        while (await _wakeups.Reader.WaitToReadAsync(cancellation).ConfigureAwait(false))
        {
            _wakeups.Reader.TryRead(out _);
            if (Volatile.Read(ref _failure) is { } failure)
            {
                throw failure;
            }

            if (segment.Drills.DelayMs is > 0 and int delay)
            {
                await Task.Delay(delay, cancellation).ConfigureAwait(false);
            }

            var (current, scl, applied, durableEnd) = segment.Position(this);
            await replies.WriteAsync(new AppendReply { Epoch = current, Scl = scl, Applied = applied, DurableEnd = durableEnd }, cancellation).ConfigureAwait(false);
            if (current > epoch)
            {
                return;
            }
        }
    }
}
