using System.Runtime.CompilerServices;

namespace Redoubt.Wal;

/// <summary>Says what a record means: every page it changes, explicitly or implicitly, and every small thing beside pages.</summary>
/// <remarks>
/// Record → <see cref="RecordParts"/> → one <see cref="BlockChange"/> per block reference (whatever the resource manager) → what the
/// resource manager's redo function does besides: visibility-map bits of heap records (RecordSplitter.Blocks.cs), commit log,
/// multixacts, commit timestamps (RecordSplitter.Slru.cs), files, databases, tablespaces, maps, prepared transactions, origins
/// (RecordSplitter.Metadata.cs). Allocates nothing.
/// </remarks>
public static partial class RecordSplitter
{
    /// <summary>Calls <paramref name="sink"/> for everything the record does, in redo's order.</summary>
    /// <param name="version">The log's version.</param>
    /// <param name="record">A record whose CRC has been checked.</param>
    /// <param name="control">Counters as of before this record: gives 32-bit xids their epoch and multixacts their place.
    /// The caller applies the record to it afterwards.</param>
    /// <param name="sink">Receives the changes.</param>
    /// <exception cref="UnsupportedRecordException">No redo exists for this resource manager or kind.</exception>
    /// <exception cref="WalFormatException">The record's inside contradicts itself.</exception>
    [SkipLocalsInit]
    public static void Split<TSink>(PgVersion version, in WalRecord record, ControlState control, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        RecordParts.Parse(record, out RecordParts parts);
        RequireSupported(version, record, parts);
        byte kind = (byte)(record.Info & 0xF0);
        switch (record.Rmgr)
        {
            case RmgrId.Transaction:
                SplitTransaction(version, record, parts, control, ref sink);
                break;
            case RmgrId.Storage:
                SplitStorage(record, kind, parts.MainData, ref sink);
                break;
            case RmgrId.Clog:
                SplitSlru(record, kind, parts.MainData, Fork.SlruXact, ref sink);
                break;
            case RmgrId.CommitTs:
                SplitSlru(record, kind, parts.MainData, Fork.SlruCommitTs, ref sink);
                break;
            case RmgrId.MultiXact:
                SplitMultiXact(record, kind, parts.MainData, ref sink);
                break;
            case RmgrId.Database:
                SplitDatabase(record, kind, parts.MainData, ref sink);
                break;
            case RmgrId.Tablespace:
                SplitTablespace(record, kind, parts.MainData, ref sink);
                break;
            case RmgrId.RelMap:
                SplitRelMap(record, parts.MainData, ref sink);
                break;
            case RmgrId.ReplicationOrigin:
                SplitOrigin(record, kind, parts.MainData, ref sink);
                break;
            case RmgrId.Heap or RmgrId.Heap2:
                ClearVisibilityMap(record, parts, ref sink);
                SplitBlocks(record, parts, control, ref sink);
                break;
            default:
                SplitBlocks(record, parts, control, ref sink);
                break;
        }
    }

    /// <summary>Throws when <see cref="Split"/> would refuse this rmgr and kind; cheap, for the agent's door.</summary>
    /// <exception cref="UnsupportedRecordException">No redo exists for this resource manager or kind.</exception>
    public static void RequireSupported(PgVersion version, in WalRecord record)
    {
        if (record.Rmgr < RmgrId.MinCustom)
        {
            RequireKnownKind(version, record);
            return;
        }

        RecordParts.Parse(record, out RecordParts parts);
        RequireSupported(version, record, parts);
    }

    private static void RequireSupported(PgVersion version, scoped in WalRecord record, scoped in RecordParts parts)
    {
        if (record.Rmgr < RmgrId.MinCustom)
        {
            RequireKnownKind(version, record);
            return;
        }

        // An extension's redo function is not here, but restoring whole images needs none.
        bool onlyImages = parts.BlockCount > 0;
        foreach (ref readonly BlockReference block in parts.Blocks)
        {
            onlyImages &= block.AppliesImage;
        }

        if (!onlyImages)
        {
            throw new UnsupportedRecordException(
                record.Start,
                record.Rmgr,
                record.Info,
                $"The record belongs to custom resource manager {record.Rmgr}, an extension's, whose changes cannot be redone here.");
        }
    }

    private static void RequireKnownKind(PgVersion version, in WalRecord record)
    {
        if (!RmgrNames.IsKnownKind(version, record.Rmgr, record.Info))
        {
            throw new UnsupportedRecordException(
                record.Start,
                record.Rmgr,
                record.Info,
                $"Resource manager {RmgrNames.Rmgr(record.Rmgr)} has no record kind {record.Info & 0xF0:X2} in PostgreSQL {(int)version}.");
        }
    }
}
