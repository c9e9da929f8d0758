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

    /// <summary>Adds the next entry of the chain.</summary>
    /// <exception cref="ArgumentException">The entry does not come after the one before, or the frame would be too long.</exception>
    public void Add(LogEntryKind kind, Lsn start, Lsn end, ulong groupMask, ReadOnlySpan<byte> body)
    {
        if (start >= end || start < _prevEnd)
        {
            throw new ArgumentException($"entry {start}…{end} does not follow {_prevEnd}");
        }

        if ((long)_length + body.Length + 64 > LogFrame.MaxLength)
        {
            throw new ArgumentException($"entry {start}…{end} of {body.Length} bytes does not fit a frame of at most {LogFrame.MaxLength}");
        }

        if (_buffer.Length < _length + body.Length + 64)
        {
            Array.Resize(ref _buffer, (int)Math.Max(_buffer.Length * 2L, _length + body.Length + 64L));
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
