using System.Buffers.Binary;

namespace Redoubt.Wal;

/// <summary>
/// One whole log record (<c>XLogRecord</c>, access/xlogrecord.h), cut out of the log's pages: header, block references,
/// data, contiguous, without page headers. A view: it lives as long as the buffer it was cut from.
/// </summary>
/// <param name="start">Position of the record's first byte (<c>ReadRecPtr</c>).</param>
/// <param name="end">Position after the record, aligned to 8 (<c>EndRecPtr</c>): the LSN that the pages it changes get.
/// After <c>XLOG_SWITCH</c> it is the start of the next segment.</param>
/// <param name="bytes"><c>xl_tot_len</c> bytes; not padded.</param>
/// <param name="part">Which part of the record this is, when its reader was asked to give long ones in parts. Of a part,
/// <paramref name="start"/> is the record's, <paramref name="end"/> the start of the page after it, and only the first has the header.</param>
public readonly ref struct WalRecord(Lsn start, Lsn end, ReadOnlySpan<byte> bytes, RecordPart part = RecordPart.Whole)
{
    /// <summary><c>SizeOfXLogRecord</c>.</summary>
    public const int HeaderLength = 24;

    public Lsn Start { get; } = start;
    public Lsn End { get; } = end;
    public ReadOnlySpan<byte> Bytes { get; } = bytes;
    public RecordPart Part { get; } = part;

    /// <summary><c>xl_xid</c>.</summary>
    public uint Xid => BinaryPrimitives.ReadUInt32LittleEndian(Bytes[4..]);

    /// <summary><c>xl_prev</c>: start of the record before this one in the whole log.</summary>
    public Lsn Prev => new(BinaryPrimitives.ReadUInt64LittleEndian(Bytes[8..]));

    /// <summary><c>xl_info</c>: high 4 bits belong to the resource manager.</summary>
    public byte Info => Bytes[16];

    /// <summary><c>xl_rmid</c>.</summary>
    public byte Rmgr => Bytes[17];

    /// <summary>True for the commit of a transaction, prepared or not.</summary>
    public bool IsCommit => Rmgr == RmgrId.Transaction && XactRecord.IsCommit(Info);
}
