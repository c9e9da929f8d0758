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
/// for that place replace them. A log that is still being written is read with a limit (<see cref="FinalUpTo"/>): what is wrong beyond it is a
/// record that is not finished yet, before it damage. A record whose continuation was overwritten after a crash (<c>XLP_FIRST_IS_OVERWRITE_CONTRECORD</c>)
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

    // Parts of it that were given out already, and the CRC of their data.
    private readonly byte[] _header = new byte[WalRecord.HeaderLength];
    private int _given;
    private uint _crc;

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

    /// <summary>The first position whose byte may still change, a page's start: the last page written holds records that are still being copied.
    /// Unlimited when the log is finished.</summary>
    public Lsn FinalUpTo { get; set; } = new(ulong.MaxValue);

    /// <summary>Records longer than this (bytes) come in parts, each but the last of this length or up to a page more, the last of at most that; 0: none does.</summary>
    public int PartLength { get; init; }

    /// <summary>The next byte that is wanted of a log that can be read again: see <see cref="Refill"/>.</summary>
    public Lsn ResumePosition => _next;

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

    /// <summary>Instead of <see cref="Append"/>, for a log that can be read again while it is written: room for its next <paramref name="length"/> bytes from
    /// <see cref="ResumePosition"/> on, all of which the caller fills in before it reads on. What was given before is forgotten.</summary>
    public Span<byte> Refill(int length)
    {
        _hasRaw = true;
        _rawAt = _next;
        _rawOffset = 0;
        _rawLength = 0;
        MakeRoom(0, length);
        _rawLength = length;
        return _raw.AsSpan(0, length);
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
            if (!TryReadHeader(_next, out _))
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
            if (!TryReadHeader(start, out PageHeader header))
            {
                return false;
            }

            if ((header.Info & PageHeader.FirstIsContRecord) != 0)
            {
                return Refuse(start, start, "The page begins inside a record, but the record before it ended with its page.");
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

        if (RecordHeader.LengthError(length) is { } impossible)
        {
            return Refuse(start, start, impossible);
        }

        int room = WalAddress.PageSize - WalAddress.PageOffset(start);
        if (length > room)
        {
            if (start >= FinalUpTo)
            {
                return false; // begins in a page that may still change, so its length may
            }

            _recordStart = start;
            _recordLength = (int)length;
            _assembled = 0;
            _given = 0;
            _next = start;
            return TryAssemble(out record);
        }

        return bytes.Length >= length && Finish(start, bytes[..(int)length], start + WalAddress.Align8(length), out record);
    }

    private bool TryAssemble(out WalRecord record)
    {
        record = default;
        while (true)
        {
            // Nothing is taken from a page before all of what is wanted of it is there and right.
            Lsn at = _next;
            int had = _given + _assembled;
            if (had > 0 && WalAddress.PageOffset(at) == 0)
            {
                if (!TryReadHeader(at, out PageHeader header))
                {
                    return false;
                }

                if ((header.Info & PageHeader.FirstIsOverwriteContRecord) != 0)
                {
                    // The record was never finished: a crash came before its continuation was written.
                    _recordLength = 0;
                    return TryReadWithinPage(out record);
                }

                if (ContinuationError(header) is { } wrong)
                {
                    return Refuse(at, at, wrong);
                }

                at += (ulong)WalAddress.PageHeaderLength(at);
            }

            var bytes = Available(at);
            int room = WalAddress.PageSize - WalAddress.PageOffset(at);
            int want = Math.Min(room, _recordLength - had);
            if (bytes.Length < want)
            {
                return false;
            }

            bool isLast = had + want == _recordLength;
            if (!isLast && at >= FinalUpTo)
            {
                return false;
            }

            GrowAssembly(_assembled + want);
            bytes[..want].CopyTo(_assembly.AsSpan(_assembled));
            if (isLast)
            {
                return FinishAssembled(want, at + WalAddress.Align8((ulong)want), out record);
            }

            // Everything but a record's last part reaches to its page's end.
            _assembled += want;
            _next = at + (ulong)want;
            if (had < WalRecord.HeaderLength && had + want >= WalRecord.HeaderLength
                && RecordHeader.Error(_recordStart, _assembly, _lastStart, _knowsPrev) is { } error)
            {
                throw new WalFormatException(_recordStart, error);
            }

            if (PartLength > 0 && _recordLength > PartLength && _assembled >= PartLength)
            {
                GivePart(out record);
                return true;
            }
        }
    }

    /// <summary>What is assembled becomes a part of its own. Its pages are final.</summary>
    private void GivePart(out WalRecord record)
    {
        var part = _assembly.AsSpan(0, _assembled);
        if (_given == 0)
        {
            part[..WalRecord.HeaderLength].CopyTo(_header);
            _crc = Crc32C.Append(Crc32C.Initial, part[WalRecord.HeaderLength..]);
        }
        else
        {
            _crc = Crc32C.Append(_crc, part);
        }

        record = new WalRecord(_recordStart, _next, part, _given == 0 ? RecordPart.First : RecordPart.Middle);
        _given += _assembled;
        _assembled = 0;
    }

    private bool FinishAssembled(int want, Lsn end, out WalRecord record)
    {
        var bytes = _assembly.AsSpan(0, _assembled + want);
        bool finished;
        if (_given == 0)
        {
            finished = Finish(_recordStart, bytes, end, out record);
        }
        else
        {
            record = default;
            uint crc = Crc32C.Finish(Crc32C.Append(Crc32C.Append(_crc, bytes), _header.AsSpan(0, RecordHeader.CrcOffset)));
            finished = RecordHeader.CrcError(_header, crc) is { } error
                ? Refuse(_recordStart, end, error)
                : Take(_recordStart, bytes, end, RecordPart.Last, out record);
        }

        if (finished)
        {
            _recordLength = 0;
            _assembled = 0;
            _given = 0;
        }

        return finished;
    }

    private bool Finish(Lsn start, ReadOnlySpan<byte> bytes, Lsn end, out WalRecord record)
    {
        record = default;
        string? error = bytes.Length < WalRecord.HeaderLength ? "The record is shorter than its header."
            : RecordHeader.Error(start, bytes, _lastStart, _knowsPrev) ?? RecordHeader.CrcError(bytes, RecordHeader.Crc(bytes));
        if (error is not null)
        {
            return Refuse(start, end, error);
        }

        return Take(start, bytes, RecordHeader.IsSwitch(bytes) ? WalAddress.SwitchEnd(end) : end, RecordPart.Whole, out record);
    }

    private bool Take(Lsn start, ReadOnlySpan<byte> bytes, Lsn end, RecordPart part, out WalRecord record)
    {
        record = new WalRecord(start, end, bytes, part);
        _lastStart = start;
        _knowsPrev = true;
        _next = end;
        Position = end;
        return true;
    }

    /// <summary>False when what is wrong with the bytes before <paramref name="end"/> may be that they are not all written yet.</summary>
    private bool Refuse(Lsn at, Lsn end, string error) => end > FinalUpTo || at >= FinalUpTo ? false : throw new WalFormatException(at, error);

    /// <summary>False when there is no header (yet).</summary>
    private bool TryReadHeader(Lsn page, out PageHeader header)
    {
        header = default;
        var bytes = Available(page);
        string? error = _headers.Read(page, bytes, out header);
        return error is null ? header.Magic != 0 : Refuse(page, page, error);
    }

    private string? ContinuationError(in PageHeader header)
    {
        if ((header.Info & PageHeader.FirstIsContRecord) == 0)
        {
            return $"The record at {_recordStart} goes on here, but the page does not say so.";
        }

        uint left = (uint)(_recordLength - _given - _assembled);
        return header.RemainingLength != left ? $"The record at {_recordStart} has {left} bytes left, but the page says {header.RemainingLength}." : null;
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
