using System.Buffers.Binary;
using Redoubt.Wal;

namespace Redoubt.Protocol;

/// <summary>Builds one frame at a time in a buffer that it keeps. Not thread-safe. Allocates only when a frame outgrows every one before it.</summary>
public sealed class LogFrameWriter
{
    private byte[] _buffer = new byte[64 << 10];
    private int _length;
    private int _count;
    private ulong _epoch;
    private Lsn _prevEnd;
    private LogEntryKind _lastKind;
    private Lsn _lastStart;

    /// <summary>Entries so far.</summary>
    public int Count => _count;

    /// <summary>Bytes so far, header included.</summary>
    public int Length => _length;

    /// <summary>End of the last entry, or where the chain stood at <see cref="Begin"/>.</summary>
    public Lsn End => _prevEnd;

    /// <summary>Begins a frame that continues a group's chain after <paramref name="prevEnd"/>.</summary>
    public void Begin(ulong epoch, Lsn prevEnd)
    {
        _epoch = epoch;
        _prevEnd = prevEnd;
        _count = 0;
        _length = LogFrame.HeaderLength;
        BinaryPrimitives.WriteUInt64LittleEndian(_buffer.AsSpan(24), prevEnd.Value);
    }

    /// <summary>True when the frame in the making has room for an entry with a body of so many bytes; one of
    /// <see cref="LogFrame.MaxBodyLength"/> fits an empty frame.</summary>
    public bool HasRoomFor(int bodyLength) => (long)_length + bodyLength + LogFrame.MaxEntryOverhead <= LogFrame.MaxLength;

    /// <summary>Adds the next entry of the chain.</summary>
    /// <exception cref="ArgumentException">The entry does not come after the one before, its body is too long, or the frame has no room for it.</exception>
    public void Add(LogEntryKind kind, Lsn start, Lsn end, ulong groupMask, ReadOnlySpan<byte> body)
    {
        if (start >= end || end <= _prevEnd || !Follows(kind, start, _prevEnd, _count > 0, _lastKind, _lastStart))
        {
            throw new ArgumentException($"entry {start}…{end} ({kind}) does not follow {_prevEnd}");
        }

        if (body.Length > LogFrame.MaxBodyLength || !HasRoomFor(body.Length))
        {
            throw new ArgumentException($"entry {start}…{end} of {body.Length} bytes does not fit a frame of at most {LogFrame.MaxLength}");
        }

        int needed = _length + body.Length + LogFrame.MaxEntryOverhead;
        if (_buffer.Length < needed)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, needed));
        }

        var entry = new LogEntry { Kind = kind, Epoch = _epoch, PrevEnd = _prevEnd, Start = start, End = end, GroupMask = groupMask, Body = body };
        _buffer[_length] = (byte)kind;
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer.AsSpan(_length + 1), EntryCrc(entry));
        _length += 5;
        WriteVarint(end - _prevEnd);
        WriteVarint(end - start);
        WriteVarint(groupMask);
        WriteVarint((ulong)body.Length);
        body.CopyTo(_buffer.AsSpan(_length));
        _length += body.Length;
        _prevEnd = end;
        _lastKind = kind;
        _lastStart = start;
        _count++;
    }

    /// <summary>Completes the frame. The result is valid until the next <see cref="Begin"/>.</summary>
    public ReadOnlyMemory<byte> Finish()
    {
        var span = _buffer.AsSpan(0, _length);
        BinaryPrimitives.WriteUInt32LittleEndian(span, LogFrame.Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(span[4..], (uint)_length);
        BinaryPrimitives.WriteUInt32LittleEndian(span[12..], (uint)_count);
        BinaryPrimitives.WriteUInt64LittleEndian(span[16..], _epoch);
        BinaryPrimitives.WriteUInt64LittleEndian(span[32..], _prevEnd.Value);
        BinaryPrimitives.WriteUInt32LittleEndian(span[8..], Crc32C.Compute(span[12..]));
        return _buffer.AsMemory(0, _length);
    }

    /// <summary>Whether an entry may come where it stands: a record that is begun goes on, and nothing else begins before what is there. Where a frame
    /// begins, a record may be begun in the frame before.</summary>
    internal static bool Follows(LogEntryKind kind, Lsn start, Lsn prevEnd, bool hasLast, LogEntryKind lastKind, Lsn lastStart) =>
        hasLast && !lastKind.EndsRecord()
            ? kind.IsPart() && start == lastStart
            : start >= prevEnd || (!hasLast && kind.IsPart());

    internal static uint EntryCrc(in LogEntry entry)
    {
        uint crc = Crc32C.Append(Crc32C.Initial, entry.Epoch);
        crc = Crc32C.Append(crc, entry.PrevEnd.Value);
        crc = Crc32C.Append(crc, entry.Start.Value);
        crc = Crc32C.Append(crc, entry.End.Value);
        crc = Crc32C.Append(crc, entry.GroupMask ^ ((ulong)entry.Kind << 56));
        return Crc32C.Finish(Crc32C.Append(crc, entry.Body));
    }

    private void WriteVarint(ulong value)
    {
        while (value >= 0x80)
        {
            _buffer[_length++] = (byte)(value | 0x80);
            value >>= 7;
        }

        _buffer[_length++] = (byte)value;
    }
}
