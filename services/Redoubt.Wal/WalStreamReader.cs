using System.Buffers;
using System.Buffers.Binary;

namespace Redoubt.Wal;

/// <summary>
/// Cuts whole records out of a log that arrives in pieces of any size. Checks page headers, <c>xl_prev</c>, lengths and the CRC-32C of
/// every record. Allocates nothing per record: a record inside one page is a view of the bytes given, one that crosses pages is
/// put together in a pooled buffer.
/// </summary>
/// <remarks>
/// Zeros where a record or page header would begin are the end of the log so far (<see cref="TryRead"/> is false); bytes given again
/// for that place replace them. A record whose continuation was overwritten after a crash (<c>XLP_FIRST_IS_OVERWRITE_CONTRECORD</c>)
/// never existed: reading goes on with the record that tells so. Not thread-safe.
/// </remarks>
public sealed class WalStreamReader : IDisposable
{
    private const int MinBuffer = 64 * 1024;

    private readonly PageHeaderReader _headers;

    // Raw log bytes [_rawAt, _rawAt + _rawLength) at _raw[_rawOffset…].
    private byte[] _raw = [];
    private int _rawOffset;
    private int _rawLength;
    private Lsn _rawAt;
    private bool _hasRaw;

    // The next raw byte to look at: always a record start, a page start, or (assembling) a page start inside a record.
    private Lsn _next;
    private Lsn _lastStart;
    private bool _knowsPrev;

    // A record that crosses pages, as far as it is here.
    private byte[] _assembly = [];
    private int _assembled;
    private int _recordLength;
    private Lsn _recordStart;

    /// <summary>Starts at a record boundary.</summary>
    /// <param name="version">Which page magic and record kinds to expect.</param>
    /// <param name="start">Where the next record starts or would start (page headers after it are skipped).</param>
    public WalStreamReader(PgVersion version, Lsn start)
        : this(version, start, Lsn.Invalid)
    {
    }

    /// <summary>Starts at a record boundary whose preceding record is known.</summary>
    /// <param name="version">Which page magic and record kinds to expect.</param>
    /// <param name="start">Where the next record starts or would start (page headers after it are skipped).</param>
    /// <param name="prev">Start of the record before: the first record's <c>xl_prev</c> must be it. Invalid: not known.</param>
    public WalStreamReader(PgVersion version, Lsn start, Lsn prev)
    {
        _headers = new PageHeaderReader(version);
        int offset = WalAddress.PageOffset(start);
        if ((offset != 0 && offset < WalAddress.PageHeaderLength(start)) || offset % 8 != 0)
        {
            throw new WalFormatException(start, "No record can start here: it is inside a page header or not a multiple of 8.");
        }

        Position = start;
        _next = start;
        _lastStart = prev;
        _knowsPrev = prev.IsValid;
    }

    /// <summary>Position after the last record read (its <see cref="WalRecord.End"/>).</summary>
    public Lsn Position { get; private set; }

    /// <summary>Start of the last record read: <c>xl_prev</c> of the next. Invalid when nothing was read and nothing was told.</summary>
    public Lsn LastRecordStart => _lastStart;

    /// <summary>End of the bytes given so far: where the next piece must begin.</summary>
    public Lsn AppendPosition => _hasRaw ? _rawAt + (ulong)_rawLength : Position;

    /// <summary>Timeline of the last page header seen, 0 before the first.</summary>
    public uint Timeline => _headers.Timeline;

    /// <summary>Gives the reader the log's next bytes; the first piece begins at the start position (or its page), the next where it
    /// ended. A piece may begin earlier than that, but not before what has been read: it replaces what was given for the same place.</summary>
    /// <exception cref="WalFormatException">The piece does not follow what was given before.</exception>
    public void Append(Lsn at, ReadOnlySpan<byte> bytes)
    {
        if (!_hasRaw)
        {
            if (at > Position || at < WalAddress.PageStart(Position))
            {
                throw new WalFormatException(at, $"The first piece of log must begin at {Position} or at its page.");
            }

            _hasRaw = true;
            _rawAt = at;
            _next = at == WalAddress.PageStart(at) ? at : Position;
        }

        Lsn end = _rawAt + (ulong)_rawLength;
        Lsn pieceEnd = at + (ulong)bytes.Length;
        if (_next > end && pieceEnd <= _next)
        {
            // The rest of a switched segment: nothing in it matters.
            if (at != end)
            {
                throw new WalFormatException(at, $"This piece of log does not follow the last one, which ended at {end}.");
            }

            _rawAt = pieceEnd;
            _rawOffset = 0;
            _rawLength = 0;
            return;
        }

        if (at > end || at < Min(_next, end))
        {
            throw new WalFormatException(at, $"This piece of log does not follow the last one, which ended at {end}.");
        }

        DropBefore(_next);
        if (at < _rawAt)
        {
            bytes = bytes[(int)(_rawAt - at)..];
            at = _rawAt;
        }

        int keep = (int)(at - _rawAt);
        MakeRoom(keep, bytes.Length);
        bytes.CopyTo(_raw.AsSpan(_rawOffset + keep));
        _rawLength = keep + bytes.Length;
    }

    /// <summary>The next whole record, or false when more bytes are needed. The record is valid until the next call of this reader.</summary>
    /// <exception cref="WalFormatException">The bytes are not a log: names LSN and what is wrong.</exception>
    public bool TryRead(out WalRecord record)
    {
        record = default;
        if (!_hasRaw)
        {
            return false;
        }

        if (_next < Position && _recordLength == 0)
        {
            // The first piece began at its page: look at the header, then go to where the caller wants to begin.
            if (!_headers.TryRead(_next, Available(_next), out PageHeader first))
            {
                return false;
            }

            if (first.Magic == 0)
            {
                return false;
            }

            _next = Position;
        }

        return _recordLength == 0 ? TryReadWithinPage(out record) : TryAssemble(out record);
    }

    /// <summary>Gives the buffers back to the pool.</summary>
    public void Dispose()
    {
        Return(ref _raw);
        Return(ref _assembly);
        _rawLength = 0;
        _rawOffset = 0;
    }

    private bool TryReadWithinPage(out WalRecord record)
    {
        record = default;
        Lsn start = _next;
        if (WalAddress.PageOffset(start) == 0)
        {
            if (!_headers.TryRead(start, Available(start), out PageHeader header) || header.Magic == 0)
            {
                return false;
            }

            if ((header.Info & PageHeader.FirstIsContRecord) != 0)
            {
                throw new WalFormatException(start, "The page begins inside a record, but the record before it ended with its page.");
            }

            start += (ulong)WalAddress.PageHeaderLength(start);
        }

        var bytes = Available(start);
        if (bytes.Length < 4)
        {
            return false;
        }

        uint length = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        if (length == 0)
        {
            return false;
        }

        RecordHeader.CheckLength(start, length);
        int room = WalAddress.PageSize - WalAddress.PageOffset(start);
        if (length > room)
        {
            _recordStart = start;
            _recordLength = (int)length;
            _assembled = 0;
            _next = start;
            return TryAssemble(out record);
        }

        if (bytes.Length < length)
        {
            return false;
        }

        return Finish(start, bytes[..(int)length], start + WalAddress.Align8(length), out record);
    }

    private bool TryAssemble(out WalRecord record)
    {
        record = default;
        while (true)
        {
            if (_assembled > 0 && WalAddress.PageOffset(_next) == 0)
            {
                if (!_headers.TryRead(_next, Available(_next), out PageHeader header) || header.Magic == 0)
                {
                    return false;
                }

                if ((header.Info & PageHeader.FirstIsOverwriteContRecord) != 0)
                {
                    // The record was never finished: a crash came before its continuation was written.
                    _recordLength = 0;
                    return TryReadWithinPage(out record);
                }

                RequireContinuation(header);
                _next += (ulong)WalAddress.PageHeaderLength(_next);
            }

            var bytes = Available(_next);
            int room = WalAddress.PageSize - WalAddress.PageOffset(_next);
            int want = Math.Min(room, _recordLength - _assembled);
            if (bytes.Length < want)
            {
                return false;
            }

            GrowAssembly(_assembled + want);
            bytes[..want].CopyTo(_assembly.AsSpan(_assembled));
            _assembled += want;
            if (_assembled < _recordLength)
            {
                // Everything but a record's last part reaches to its page's end.
                _next += (ulong)want;
                if (_assembled >= WalRecord.HeaderLength && _assembled - want < WalRecord.HeaderLength)
                {
                    RecordHeader.Check(_recordStart, _assembly, _lastStart, _knowsPrev);
                }

                continue;
            }

            Lsn end = _next + WalAddress.Align8((ulong)want);
            int length = _recordLength;
            _recordLength = 0;
            return Finish(_recordStart, _assembly.AsSpan(0, length), end, out record);
        }
    }

    private bool Finish(Lsn start, ReadOnlySpan<byte> bytes, Lsn end, out WalRecord record)
    {
        RecordHeader.Check(start, bytes, _lastStart, _knowsPrev);
        RecordHeader.CheckCrc(start, bytes);
        if (RecordHeader.IsSwitch(bytes))
        {
            end = WalAddress.SwitchEnd(end);
        }

        record = new WalRecord(start, end, bytes);
        _lastStart = start;
        _knowsPrev = true;
        _next = end;
        Position = end;
        return true;
    }

    private void RequireContinuation(in PageHeader header)
    {
        if ((header.Info & PageHeader.FirstIsContRecord) == 0)
        {
            throw new WalFormatException(_next, $"The record at {_recordStart} goes on here, but the page does not say so.");
        }

        uint left = (uint)(_recordLength - _assembled);
        if (header.RemainingLength != left)
        {
            throw new WalFormatException(
                _next, $"The record at {_recordStart} has {left} bytes left, but the page says {header.RemainingLength}.");
        }
    }

    private ReadOnlySpan<byte> Available(Lsn at)
    {
        if (at >= _rawAt + (ulong)_rawLength)
        {
            return default;
        }

        int skip = (int)(at - _rawAt);
        return _raw.AsSpan(_rawOffset + skip, _rawLength - skip);
    }

    private void DropBefore(Lsn at)
    {
        if (at <= _rawAt)
        {
            return;
        }

        int skip = (int)Math.Min(at - _rawAt, (ulong)_rawLength);
        _rawOffset += skip;
        _rawLength -= skip;
        _rawAt += (ulong)skip;
    }

    private void MakeRoom(int keep, int more)
    {
        int need = checked(keep + more);
        if (_rawOffset + need <= _raw.Length)
        {
            return;
        }

        if (need <= _raw.Length)
        {
            _raw.AsSpan(_rawOffset, keep).CopyTo(_raw);
        }
        else
        {
            byte[] bigger = ArrayPool<byte>.Shared.Rent(Math.Max(MinBuffer, need));
            _raw.AsSpan(_rawOffset, keep).CopyTo(bigger);
            Return(ref _raw);
            _raw = bigger;
        }

        _rawOffset = 0;
    }

    private void GrowAssembly(int need)
    {
        if (need <= _assembly.Length)
        {
            return;
        }

        byte[] bigger = ArrayPool<byte>.Shared.Rent(Math.Max(MinBuffer, Math.Max(need, (int)Math.Min(2L * _assembly.Length, _recordLength))));
        _assembly.AsSpan(0, _assembled).CopyTo(bigger);
        Return(ref _assembly);
        _assembly = bigger;
    }

    private static Lsn Min(Lsn a, Lsn b) => a < b ? a : b;

    private static void Return(ref byte[] buffer)
    {
        if (buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        buffer = [];
    }
}
