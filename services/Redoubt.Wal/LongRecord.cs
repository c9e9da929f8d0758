using System.Buffers.Binary;

namespace Redoubt.Wal;

/// <summary>
/// Records that may be very long although redo and the counters read only how they begin. Such a record can be redone from its beginning alone.
/// </summary>
/// <remarks>
/// What can be longer than its pages' data (PostgreSQL 17, 18): logical messages (any role's, replication/message.c); deletes and updates of heap tuples that
/// carry the whole old tuple, detoasted, for logical decoding (<c>ExtractReplicaIdentity</c>, access/heap/heapam.c); invalidations for logical
/// decoding (<c>XLOG_XACT_INVALIDATIONS</c>, <c>XLOG_INVALIDATIONS</c>, <c>xl_heap_inplace</c>), <c>XLOG_HEAP_TRUNCATE</c>, standby locks and running
/// transactions: all these are shortened. Commits, aborts and prepares with their subtransactions, dropped relations and invalidations are
/// needed whole.
/// </remarks>
public static class LongRecord
{
    /// <summary><c>XLogRecordMaxSize</c>, bytes.</summary>
    public const uint MaxLength = RecordHeader.MaxLength;

    /// <summary>So much main data (bytes) is kept: more than anybody reads of a record that can be shortened.</summary>
    private const int KeptMainData = 256;

    /// <summary>Makes a record of a long one's beginning, in place, with the main data cut off where nobody reads it. Its CRC is wrong from then on.</summary>
    /// <param name="start">The record's, for messages.</param>
    /// <param name="beginning">The record's first bytes, at least its header.</param>
    /// <returns>Length of the shortened record; 0 when the record is needed whole, or longer a beginning; nothing is changed then.</returns>
    /// <exception cref="WalFormatException">The record's inside contradicts itself.</exception>
    public static int Shorten(Lsn start, Span<byte> beginning)
    {
        byte rmgr = beginning[17], info = beginning[16];
        bool isShortened = rmgr is RmgrId.LogicalMessage or RmgrId.Heap or RmgrId.Standby
            || (rmgr == RmgrId.Transaction && XactRecord.Op(info) == XactRecord.Invalidations);
        if (!isShortened || !RecordParts.TryFindMainData(start, beginning, out int lengthAt, out int mainAt)
            || mainAt + KeptMainData > beginning.Length
            || BinaryPrimitives.ReadUInt32LittleEndian(beginning[lengthAt..]) < KeptMainData)
        {
            return 0;
        }

        BinaryPrimitives.WriteInt32LittleEndian(beginning[lengthAt..], KeptMainData);
        BinaryPrimitives.WriteInt32LittleEndian(beginning, mainAt + KeptMainData);
        return mainAt + KeptMainData;
    }
}
