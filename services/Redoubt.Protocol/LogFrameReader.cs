using System.Buffers.Binary;
using Redoubt.Wal;

namespace Redoubt.Protocol;

/// <summary>Enumerates a frame's entries: <c>foreach (var entry in frame.Entries)</c>. Allocates nothing.</summary>
public ref struct LogFrameReader
{
    private readonly ulong _epoch;
    private readonly Lsn _end;
    private ReadOnlySpan<byte> _rest;
    private Lsn _prevEnd;
    private int _left;
    private LogEntry _current;
    private bool _begun;

    internal LogFrameReader(LogFrame frame)
    {
        _epoch = frame.Epoch;
        _prevEnd = frame.PrevEnd;
        _end = frame.End;
        _left = frame.Count;
        _rest = frame.Bytes[LogFrame.HeaderLength..];
    }

    public readonly LogEntry Current => _current;

    public readonly LogFrameReader GetEnumerator() => this;

    /// <exception cref="LogFrameException">The next entry is damaged.</exception>
    public bool MoveNext()
    {
        if (_left == 0)
        {
            if (_rest.Length != 0 || _prevEnd != _end)
            {
                throw new LogFrameException($"log frame ends at {_prevEnd} with {_rest.Length} bytes left over; its header says {_end}");
            }

            return false;
        }

        if (_rest.Length < 5)
        {
            throw Damaged();
        }

        var kind = (LogEntryKind)_rest[0];
        uint crc = BinaryPrimitives.ReadUInt32LittleEndian(_rest[1..]);
        _rest = _rest[5..];
        ulong endDelta = ReadVarint();
        ulong startDelta = ReadVarint();
        ulong mask = ReadVarint();
        ulong length = ReadVarint();
        if (!kind.IsKnown() || length > (ulong)Math.Min(_rest.Length, LogFrame.MaxBodyLength) || endDelta == 0
            || endDelta > _end.Value - _prevEnd.Value || startDelta == 0 || startDelta > _prevEnd.Value + endDelta)
        {
            throw Damaged();
        }

        Lsn end = _prevEnd + endDelta;
        if (!LogFrameWriter.Follows(kind, new Lsn(end.Value - startDelta), _prevEnd, _begun, _current.Kind, _current.Start))
        {
            throw Damaged();
        }

        _begun = true;
        var body = _rest[..(int)length];
        _rest = _rest[(int)length..];
        _current = new LogEntry
        {
            Kind = kind,
            Epoch = _epoch,
            PrevEnd = _prevEnd,
            Start = new Lsn(end.Value - startDelta),
            End = end,
            GroupMask = mask,
            Body = body,
        };
        if (LogFrameWriter.EntryCrc(_current) != crc)
        {
            throw new LogFrameException($"log entry that ends at {end} (epoch {_epoch}) fails its CRC");
        }

        _prevEnd = end;
        _left--;
        return true;
    }

    private ulong ReadVarint()
    {
        ulong value = 0;
        for (int i = 0, shift = 0; i < _rest.Length && shift < 64; i++, shift += 7)
        {
            byte b = _rest[i];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                _rest = _rest[(i + 1)..];
                return value;
            }
        }

        throw Damaged();
    }

    private readonly LogFrameException Damaged() => new($"log entry after {_prevEnd} (epoch {_epoch}) is damaged");
}
