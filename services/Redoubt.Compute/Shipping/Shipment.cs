using System.Buffers;

namespace Redoubt.Compute.Shipping;

/// <summary>One frame of one group on its way: encoded once, sent to every copy, kept until all have it or memory runs short.
/// Counted references: the retained log holds one, every send in progress another.</summary>
public sealed class Shipment(byte[] buffer, int length)
{
    private byte[]? _buffer = buffer;
    private int _references = 1;

    /// <summary>The batch as it goes over the wire (<see cref="Redoubt.Protocol.LogStream"/>).</summary>
    public ReadOnlyMemory<byte> Message => (_buffer ?? throw new ObjectDisposedException(nameof(Shipment))).AsMemory(0, Length);

    /// <summary>Bytes of <see cref="Message"/>.</summary>
    public int Length { get; } = length;

    /// <summary>End of the last entry.</summary>
    public ulong End { get; init; }

    /// <summary>Place in the group's sequence of shipments.</summary>
    public long Sequence { get; init; }

    /// <summary><see cref="System.Diagnostics.Stopwatch"/> ticks when its first bytes came from PostgreSQL.</summary>
    public long ReceivedAt { get; init; }

    /// <summary>Ticks when it was framed.</summary>
    public long FramedAt { get; init; }

    /// <summary>Ticks when it had been handed to every connected stream; 0 before.</summary>
    public long SentAt { get; set; }

    public void AddReference() => Interlocked.Increment(ref _references);

    /// <summary>Gives a reference back; the last one returns the buffer to the pool.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _references) == 0 && Interlocked.Exchange(ref _buffer, null) is { } returned)
        {
            ArrayPool<byte>.Shared.Return(returned);
        }
    }
}
