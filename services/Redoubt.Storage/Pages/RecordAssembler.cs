using System.Buffers.Binary;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <summary>
/// Makes records of a group's log entries: a whole record passes through, the parts of a long one are put together, as far as anybody reads them
/// (<see cref="LongRecord"/>): of most long records only the beginning is kept.
/// </summary>
internal sealed class RecordAssembler
{
    private byte[] _buffer = [];
    private int _kept;
    private long _come;
    private uint _total;
    private Lsn _start;
    private int _shortened;     // length of the shortened record in the buffer; 0: all bytes are kept

    /// <summary>Takes an entry of a record.</summary>
    /// <returns>True when it ends one, which is valid until the next call.</returns>
    /// <exception cref="LogFrameException">Parts are missing before this entry, or do not add up to a record.</exception>
    public bool TryTake(in LogEntry entry, out WalRecord record)
    {
        record = default;
        bool begins = _come == 0;
        if (begins ? entry.Start < entry.PrevEnd : !entry.Kind.IsPart() || entry.Start != _start)
        {
            throw new LogFrameException($"entry {entry.End} ({entry.Kind}) of the record {entry.Start} follows {(begins ? "none of its parts" : $"a part of the record {_start}")}");
        }

        if (!entry.Kind.IsPart())
        {
            record = new WalRecord(entry.Start, entry.End, entry.Body);
            return true;
        }

        if (begins)
        {
            Begin(entry);
        }

        _come += entry.Body.Length;
        if (_come > _total || (entry.Kind == LogEntryKind.RecordEnd && _come != _total))
        {
            throw new LogFrameException($"the record {_start} is {_total} bytes long, but {_come} bytes of it have come with {entry.End}");
        }

        if (_shortened == 0)
        {
            Keep(entry.Body);
        }

        if (entry.Kind == LogEntryKind.RecordPart)
        {
            return false;
        }

        _come = 0;
        record = new WalRecord(_start, entry.End, _buffer.AsSpan(0, _shortened > 0 ? _shortened : _kept));
        return true;
    }

    private void Begin(in LogEntry entry)
    {
        if (entry.Body.Length < WalRecord.HeaderLength)
        {
            throw new LogFrameException($"the first part of the record {entry.Start} has {entry.Body.Length} bytes, less than a record's header");
        }

        _start = entry.Start;
        _total = BinaryPrimitives.ReadUInt32LittleEndian(entry.Body);
        _kept = _shortened = 0;
        if (_total > LongRecord.MaxLength)
        {
            throw new LogFrameException($"the record {_start} says that it is {_total} bytes long; the longest one has {LongRecord.MaxLength}");
        }

        if (_buffer.Length > 2 * LogFrame.MaxBodyLength)
        {
            _buffer = []; // of a long record before
        }
    }

    private void Keep(ReadOnlySpan<byte> body)
    {
        if (_buffer.Length < _kept + body.Length)
        {
            Array.Resize(ref _buffer, (int)Math.Min(Math.Max(2L * _buffer.Length, _kept + body.Length), Math.Max(_total, _kept + body.Length)));
        }

        body.CopyTo(_buffer.AsSpan(_kept));
        _kept += body.Length;
        _shortened = LongRecord.Shorten(_start, _buffer.AsSpan(0, _kept));
    }
}
