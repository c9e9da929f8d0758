using System.Buffers;
using System.Diagnostics;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Shipping;

/// <summary>
/// One group's outgoing log: the frame being gathered, and the shipments kept until every copy has them. Guarded by the writer's gate.
/// </summary>
/// <param name="epoch">The writer's.</param>
/// <param name="end">End of the group's last entry so far.</param>
public sealed class GroupLog(ulong epoch, ulong end)
{
    /// <summary>A frame is closed at this size (bytes) even when more could be gathered.</summary>
    private const int FullFrame = 512 << 10;

    private readonly LogFrameWriter _frame = new();
    private readonly List<Shipment> _kept = [];
    private int _head;          // _kept[_head] is the oldest one kept
    private long _firstReceivedAt;
    private ulong _chainEnd = end;
    private ulong _shippedEnd;

    /// <summary>Bytes kept in memory.</summary>
    public long KeptBytes { get; private set; }

    /// <summary>True when entries wait to be shipped.</summary>
    public bool HasGathered { get; private set; }

    /// <summary>True when an entry of so many bytes may join the gathered frame.</summary>
    public bool HasRoomFor(int bodyLength) => !HasGathered || (!IsFull && _frame.HasRoomFor(bodyLength));

    /// <summary>True when the gathered frame should go even though others are on the way.</summary>
    public bool IsFull => HasGathered && _frame.Length >= FullFrame;

    /// <summary>End of the newest shipment; may be read without the gate.</summary>
    public ulong ShippedEnd => Volatile.Read(ref _shippedEnd);

    /// <summary>Shipments made so far.</summary>
    public long NextSequence { get; private set; }

    /// <summary>Sequence of the oldest shipment kept.</summary>
    public long OldestSequence => NextSequence - (_kept.Count - _head);

    public void Add(LogEntryKind kind, Lsn start, Lsn end, ulong mask, ReadOnlySpan<byte> body, long receivedAt)
    {
        if (!HasGathered)
        {
            _frame.Begin(epoch, new Lsn(_chainEnd));
            _firstReceivedAt = receivedAt;
            HasGathered = true;
        }

        _frame.Add(kind, start, end, mask, body);
        _chainEnd = end.Value;
    }

    /// <summary>Closes the gathered frame.</summary>
    public Shipment Ship(ulong vdl, ulong groupVdl, ulong gcHorizon, ulong clock)
    {
        var frame = _frame.Finish().Span;
        int length = LogStream.BatchHeaderLength + frame.Length;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(length);
        LogStream.WriteBatchHeader(buffer, vdl, groupVdl, gcHorizon, clock, frame.Length);
        frame.CopyTo(buffer.AsSpan(LogStream.BatchHeaderLength));
        var shipment = new Shipment(buffer, length)
        {
            End = _frame.End.Value,
            Sequence = NextSequence++,
            ReceivedAt = _firstReceivedAt,
            FramedAt = Stopwatch.GetTimestamp(),
        };
        HasGathered = false;
        Volatile.Write(ref _shippedEnd, shipment.End);
        _kept.Add(shipment);
        KeptBytes += length;
        return shipment;
    }

    /// <summary>The shipment with a sequence number, referenced for the caller, or null when there is none (yet). A caller that has fallen behind
    /// what is kept gets the oldest one; the copy fills the gap from its peers.</summary>
    public Shipment? Take(ref long sequence)
    {
        sequence = Math.Max(sequence, OldestSequence);
        if (sequence >= NextSequence)
        {
            return null;
        }

        var shipment = At(sequence);
        shipment.AddReference();
        return shipment;
    }

    /// <summary>Looks at a shipment that is kept; null otherwise.</summary>
    public Shipment? Peek(long sequence) => sequence >= OldestSequence && sequence < NextSequence ? At(sequence) : null;

    /// <summary>Where a copy that is complete to <paramref name="scl"/> must continue.</summary>
    public long SequenceAfter(ulong scl)
    {
        for (int i = _head; i < _kept.Count; i++)
        {
            if (_kept[i].End > scl)
            {
                return _kept[i].Sequence;
            }
        }

        return NextSequence;
    }

    /// <summary>Drops shipments that every copy has; and, while more than <paramref name="budget"/> bytes are kept, those that a write quorum has.</summary>
    public void Trim(ulong everyoneHas, ulong quorumHas, long budget)
    {
        while (_head < _kept.Count)
        {
            var oldest = _kept[_head];
            if (oldest.End > everyoneHas && (KeptBytes <= budget || oldest.End > quorumHas))
            {
                break;
            }

            KeptBytes -= oldest.Length;
            _kept[_head++] = null!;
            oldest.Release();
        }

        if (_head > 64 && _head * 2 > _kept.Count)
        {
            _kept.RemoveRange(0, _head);
            _head = 0;
        }
    }

    private Shipment At(long sequence) => _kept[_head + (int)(sequence - OldestSequence)];
}
