namespace Redoubt.Wal;

/// <summary>
/// What a log says beside pages and files, as one small value that follows the log record by record: the next xid, oid and multixact,
/// the oldest ones, the last checkpoint (online or shutdown) and its redo point, wal_level and the other parameters of
/// <c>XLOG_PARAMETER_CHANGE</c>. From it <c>pg_control</c> and a checkpoint record can be written.
/// </summary>
public sealed class ControlState
{
    /// <summary>The state in an existing cluster's <c>global/pg_control</c> after a clean shutdown.</summary>
    /// <exception cref="WalFormatException">Wrong version, CRC or length.</exception>
    public static ControlState FromControlFile(PgVersion version, ReadOnlySpan<byte> pgControl) => throw new NotImplementedException();

    /// <summary>What <see cref="Encode"/> wrote.</summary>
    public static ControlState Decode(ReadOnlySpan<byte> encoded) => throw new NotImplementedException();

    /// <summary><c>system_identifier</c>.</summary>
    public ulong SystemIdentifier => throw new NotImplementedException();

    /// <summary>End of the last record applied.</summary>
    public Lsn Lsn => throw new NotImplementedException();

    /// <summary>Start of the last record applied: <c>xl_prev</c> of the next.</summary>
    public Lsn LastRecordStart => throw new NotImplementedException();

    /// <summary>Next <c>FullTransactionId</c> to hand out.</summary>
    public ulong NextFullXid => throw new NotImplementedException();

    /// <summary>Follows one record. True when something other than <see cref="Lsn"/> and <see cref="LastRecordStart"/> changed.</summary>
    public bool Apply(PgVersion version, in WalRecord record) => throw new NotImplementedException();

    /// <summary>A compact, versioned encoding (a few hundred bytes).</summary>
    public byte[] Encode() => throw new NotImplementedException();

    /// <summary>The bytes of a shutdown-checkpoint record that continues the log at <see cref="Lsn"/>, as they stand in the log
    /// (with any page headers inside), the record's start and end, and the checkpoint's place for pg_control.</summary>
    public ShutdownCheckpoint MakeShutdownCheckpoint(PgVersion version, DateTimeOffset now) => throw new NotImplementedException();

    /// <summary>An 8,192-byte pg_control of state "shut down" at the given checkpoint.</summary>
    public byte[] MakeControlFile(PgVersion version, in ShutdownCheckpoint checkpoint) => throw new NotImplementedException();

    /// <summary>One whole 16 MiB log file that holds nothing but the page headers it must have and the checkpoint record;
    /// a second one when the record crosses into the next file.</summary>
    public IReadOnlyList<WalSegmentFile> MakeWalSegments(PgVersion version, in ShutdownCheckpoint checkpoint) => throw new NotImplementedException();
}

/// <summary>A synthesised checkpoint record.</summary>
/// <param name="Start">Where the record begins (<c>pg_control.checkPoint</c>, and its redo point).</param>
/// <param name="End">Where the next record may begin.</param>
/// <param name="Record">The record's bytes, contiguous.</param>
/// <param name="Checkpoint">The <c>CheckPoint</c> struct inside it.</param>
public readonly record struct ShutdownCheckpoint(Lsn Start, Lsn End, byte[] Record, byte[] Checkpoint);

/// <summary>A log file to write into pg_wal.</summary>
/// <param name="Name">24 hex digits.</param>
/// <param name="Pieces">What to write at which offset; the rest of the 16 MiB file is a hole.</param>
public readonly record struct WalSegmentFile(string Name, IReadOnlyList<(int Offset, byte[] Bytes)> Pieces);
