using Redoubt.Wal;

namespace Redoubt.Protocol;

/// <summary>What the body of a log entry is.</summary>
public enum LogEntryKind : byte
{
    /// <summary>One PostgreSQL log record, <c>xl_tot_len</c> bytes.</summary>
    WalRecord = 1,

    /// <summary>A piece of an imported data directory, see <c>ImportItem</c>; lives at LSNs below every record.</summary>
    Import = 2,

    /// <summary>Bytes of a record that is longer than <see cref="LogFrame.MaxBodyLength"/>; more follow in the next entry.</summary>
    RecordPart = 3,

    /// <summary>The last bytes of such a record.</summary>
    RecordEnd = 4,
}

/// <summary>One entry of a group's log: a view over its frame.</summary>
/// <remarks>An entry is named by its end. <see cref="PrevEnd"/> chains the entries of one group, so that a segment knows its own gaps.
/// The parts of a long record (docs/decisions/0022) follow each other in the chain, all with the record's start and groups; concatenated, their
/// bodies are the record.</remarks>
public readonly ref struct LogEntry
{
    public required LogEntryKind Kind { get; init; }

    /// <summary>Epoch of the writer that made the entry.</summary>
    public required ulong Epoch { get; init; }

    /// <summary>End of this group's entry before this one; 0 for the first.</summary>
    public required Lsn PrevEnd { get; init; }

    /// <summary>First byte of the record in PostgreSQL's log (for imports: <c>End - 1</c>). Below <see cref="PrevEnd"/> in every part of a record but the
    /// first.</summary>
    public required Lsn Start { get; init; }

    /// <summary>End of the record, or the position inside it that this part reaches; greater than <see cref="PrevEnd"/>.</summary>
    public required Lsn End { get; init; }

    /// <summary>Bit g set: the record is in group g's log too. 0: in this group's only.</summary>
    public required ulong GroupMask { get; init; }

    public required ReadOnlySpan<byte> Body { get; init; }
}
