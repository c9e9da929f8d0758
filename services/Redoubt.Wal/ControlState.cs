using System.Buffers.Binary;

namespace Redoubt.Wal;

/// <summary>
/// What a log says beside pages and files, as one small value that follows the log record by record: the next xid, oid and multixact,
/// the oldest ones, the last checkpoint (online or shutdown) and its redo point, wal_level and the other parameters of
/// <c>XLOG_PARAMETER_CHANGE</c>. From it <c>pg_control</c> and a checkpoint record can be written.
/// </summary>
/// <remarks>
/// The live counters are kept as the <c>CheckPoint</c> that a checkpoint right now would hold; the parameters as the
/// <c>ControlFileData</c> around it. Not thread-safe.
/// </remarks>
public sealed partial class ControlState
{
    private readonly PgVersion _version;

    // ControlFileData up to its CRC: parameters and constants of the cluster.
    private readonly byte[] _control;

    // CheckPoint: the counters as of Lsn.
    private readonly byte[] _now;

    // CheckPoint of the last checkpoint record, of any kind, and of the last online one.
    private readonly byte[] _lastCheckPoint;
    private readonly byte[] _lastOnline;

    private ControlState(PgVersion version, byte[] control, byte[] now, byte[] lastCheckPoint, byte[] lastOnline)
    {
        _version = version;
        _control = control;
        _now = now;
        _lastCheckPoint = lastCheckPoint;
        _lastOnline = lastOnline;
    }

    /// <summary>The version the state is of.</summary>
    public PgVersion Version => _version;

    /// <summary><c>system_identifier</c>.</summary>
    public ulong SystemIdentifier => BinaryPrimitives.ReadUInt64LittleEndian(_control);

    /// <summary>End of the last record applied.</summary>
    public Lsn Lsn { get; private set; }

    /// <summary>Start of the last record applied: <c>xl_prev</c> of the next.</summary>
    public Lsn LastRecordStart { get; private set; }

    /// <summary>Timeline of the log.</summary>
    public uint Timeline => Now(CheckPointFields.ThisTimeLine);

    /// <summary>Next <c>FullTransactionId</c> to hand out.</summary>
    public ulong NextFullXid => CheckPointFields.UInt64(_now, CheckPointFields.NextXid);

    /// <summary>Next oid that is not yet reserved in the log.</summary>
    public uint NextOid => Now(CheckPointFields.NextOid);

    /// <summary>Next multixact id.</summary>
    public uint NextMultiXact => Now(CheckPointFields.NextMulti);

    /// <summary>Next multixact member offset.</summary>
    public uint NextMultiXactOffset => Now(CheckPointFields.NextMultiOffset);

    /// <summary>Oldest transaction id that a table may still hold unfrozen.</summary>
    public uint OldestXid => Now(CheckPointFields.OldestXid);

    /// <summary>Oldest multixact id that a table may still hold.</summary>
    public uint OldestMultiXact => Now(CheckPointFields.OldestMulti);

    /// <summary>Oldest transaction with a commit timestamp; 0 when none are kept.</summary>
    public uint OldestCommitTimestampXid => Now(CheckPointFields.OldestCommitTsXid);

    /// <summary>Newest transaction with a commit timestamp; 0 when none are kept.</summary>
    public uint NewestCommitTimestampXid => Now(CheckPointFields.NewestCommitTsXid);

    /// <summary><c>wal_level</c>: 0 minimal, 1 replica, 2 logical.</summary>
    public int WalLevel => (int)Control(ControlFields.WalLevel);

    /// <summary><c>wal_log_hints</c>.</summary>
    public bool WalLogHints => _control[ControlFields.WalLogHints] != 0;

    /// <summary><c>full_page_writes</c>.</summary>
    public bool FullPageWrites => _now[CheckPointFields.FullPageWrites] != 0;

    /// <summary><c>track_commit_timestamp</c>: whether commits write pg_commit_ts.</summary>
    public bool TrackCommitTimestamp => _control[ControlFields.TrackCommitTimestamp] != 0;

    /// <summary><c>max_connections</c>.</summary>
    public int MaxConnections => (int)Control(ControlFields.MaxConnections);

    /// <summary><c>max_worker_processes</c>.</summary>
    public int MaxWorkerProcesses => (int)Control(ControlFields.MaxWorkerProcesses);

    /// <summary><c>max_wal_senders</c>.</summary>
    public int MaxWalSenders => (int)Control(ControlFields.MaxWalSenders);

    /// <summary><c>max_prepared_transactions</c>.</summary>
    public int MaxPreparedTransactions => (int)Control(ControlFields.MaxPreparedXacts);

    /// <summary><c>max_locks_per_transaction</c>.</summary>
    public int MaxLocksPerTransaction => (int)Control(ControlFields.MaxLocksPerXact);

    /// <summary><c>data_checksum_version</c>: 0 when data pages have no checksums.</summary>
    public uint DataChecksumVersion => Control(ControlFields.DataChecksumVersion);

    /// <summary>Start of the last checkpoint record of any kind.</summary>
    public Lsn LastCheckpointStart { get; private set; }

    /// <summary>Redo point of the last checkpoint of any kind.</summary>
    public Lsn LastCheckpointRedo => new(CheckPointFields.UInt64(_lastCheckPoint, CheckPointFields.Redo));

    /// <summary>Start of the last online checkpoint record: what a standby can start from. Invalid before the first.</summary>
    public Lsn LastOnlineCheckpointStart { get; private set; }

    /// <summary>Redo point of the last online checkpoint.</summary>
    public Lsn LastOnlineCheckpointRedo => new(CheckPointFields.UInt64(_lastOnline, CheckPointFields.Redo));

    /// <summary>The 64-bit transaction id that a 32-bit one near the present stands for.</summary>
    public ulong FullXid(uint xid) => NextFullXid + (ulong)(long)(int)(xid - (uint)NextFullXid);

    /// <summary>The state in an existing cluster's <c>global/pg_control</c> after a clean shutdown.</summary>
    /// <exception cref="WalFormatException">Wrong version, CRC or length, not shut down, or sizes other than 8 KiB and 16 MiB.</exception>
    public static ControlState FromControlFile(PgVersion version, ReadOnlySpan<byte> pgControl)
    {
        VersionFormat format = VersionFormat.Of(version);
        int length = format.ControlCrcOffset;
        if (pgControl.Length < length + 4)
        {
            throw Bad($"pg_control has {pgControl.Length} bytes, too few.");
        }

        uint controlVersion = BinaryPrimitives.ReadUInt32LittleEndian(pgControl[ControlFields.ControlVersion..]);
        if (controlVersion != format.ControlVersion)
        {
            throw Bad($"pg_control is of version {controlVersion}, not {format.ControlVersion} of PostgreSQL {(int)version}.");
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(pgControl[length..]) != Crc32C.Compute(pgControl[..length]))
        {
            throw Bad("pg_control's CRC is wrong: its bytes are damaged.");
        }

        byte[] control = pgControl[..length].ToArray();
        byte[] checkPoint = control.AsSpan(ControlFields.CheckPointCopy, CheckPointFields.Length).ToArray();
        var state = new ControlState(version, control, checkPoint, (byte[])checkPoint.Clone(), new byte[CheckPointFields.Length]);
        if (state.Control(ControlFields.State) != ControlFields.StateShutDown)
        {
            throw Bad($"pg_control says that the cluster was not shut down cleanly (state {state.Control(ControlFields.State)}).");
        }

        if (state.Control(ControlFields.BlockSize) != PageRedo.PageSize
            || state.Control(ControlFields.XlogBlockSize) != WalAddress.PageSize
            || state.Control(ControlFields.XlogSegmentSize) != WalAddress.SegmentSize)
        {
            throw Bad("The cluster was built with a block or segment size other than 8 KiB and 16 MiB.");
        }

        state.LastCheckpointStart = new Lsn(BinaryPrimitives.ReadUInt64LittleEndian(control.AsSpan(ControlFields.CheckPoint)));
        state.LastRecordStart = state.LastCheckpointStart;
        state.Lsn = WalAddress.RecordEnd(state.LastCheckpointStart, CheckpointRecordLength);
        return state;
    }

    /// <summary>Follows one record. True when something other than <see cref="Lsn"/> and <see cref="LastRecordStart"/> changed.</summary>
    /// <exception cref="WalFormatException">The record's inside contradicts itself.</exception>
    public bool Apply(PgVersion version, in WalRecord record)
    {
        bool changed = AdvancePast(record.Xid);
        changed |= record.Rmgr switch
        {
            RmgrId.Xlog => ApplyXlog(record),
            RmgrId.Transaction => ApplyTransaction(version, record),
            RmgrId.Clog => ApplyClog(record),
            RmgrId.MultiXact => ApplyMultiXact(record),
            RmgrId.Standby => ApplyStandby(record),
            RmgrId.CommitTs => ApplyCommitTs(record),
            _ => false,
        };
        Lsn = record.End;
        LastRecordStart = record.Start;
        return changed;
    }

    /// <summary>Moves the state to the end of a log of which it has seen only the records that change counters.</summary>
    /// <param name="lsn">End of the log's last record.</param>
    /// <param name="lastRecordStart">Start of that record.</param>
    public void MoveTo(Lsn lsn, Lsn lastRecordStart)
    {
        if (lsn < Lsn || lastRecordStart >= lsn)
        {
            throw new ArgumentException($"A log that ends at {lsn} with a record at {lastRecordStart} does not continue {Lsn}.");
        }

        Lsn = lsn;
        LastRecordStart = lastRecordStart;
    }

    private static WalFormatException Bad(string message) => new(Lsn.Invalid, message);

    private uint Now(int field) => CheckPointFields.UInt32(_now, field);

    private uint Control(int field) => BinaryPrimitives.ReadUInt32LittleEndian(_control.AsSpan(field));

    private bool Set(int field, uint value)
    {
        bool changed = Now(field) != value;
        CheckPointFields.Put(_now, field, value);
        return changed;
    }

    private bool SetNextFullXid(ulong value)
    {
        bool changed = NextFullXid != value;
        CheckPointFields.Put(_now, CheckPointFields.NextXid, value);
        return changed;
    }

    /// <summary><c>AdvanceNextFullTransactionIdPastXid</c>.</summary>
    private bool AdvancePast(uint xid)
    {
        ulong next = NextFullXid;
        if (xid < XidMath.FirstNormal || (int)(xid - (uint)next) < 0)
        {
            return false;
        }

        ulong after = FullXid(xid) + 1;
        if ((uint)after < XidMath.FirstNormal)
        {
            after += XidMath.FirstNormal - (uint)after;
        }

        return SetNextFullXid(after);
    }
}
