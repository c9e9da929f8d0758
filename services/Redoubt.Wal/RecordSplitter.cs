namespace Redoubt.Wal;

/// <summary>Says what a record means: every page it changes, explicitly or implicitly, and every small thing beside pages.</summary>
public static class RecordSplitter
{
    /// <summary>Calls <paramref name="sink"/> for everything the record does, in redo's order.</summary>
    /// <param name="version">The log's version.</param>
    /// <param name="record">A record whose CRC has been checked.</param>
    /// <param name="control">Counters as of before this record: gives 32-bit xids their epoch and multixacts their place.
    /// The caller applies the record to it afterwards.</param>
    /// <param name="sink">Receives the changes.</param>
    /// <exception cref="UnsupportedRecordException">No redo exists for this resource manager or kind.</exception>
    /// <exception cref="WalFormatException">The record's inside contradicts itself.</exception>
    public static void Split<TSink>(PgVersion version, in WalRecord record, ControlState control, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct => throw new NotImplementedException();

    /// <summary>Throws when <see cref="Split"/> would refuse this rmgr and kind; cheap, for the agent's door.</summary>
    /// <exception cref="UnsupportedRecordException">No redo exists for this resource manager or kind.</exception>
    public static void RequireSupported(PgVersion version, in WalRecord record) => throw new NotImplementedException();
}
