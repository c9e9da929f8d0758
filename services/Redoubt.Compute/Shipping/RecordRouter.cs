using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Shipping;

/// <summary>Decides for each record which groups get it, and refuses records that storage could not redo. Follows the log's counters when there is more
/// than one group: whatever moves them must be in group 0's log too, because a bootstrap takes the counters from there.</summary>
public sealed class RecordRouter(PgVersion version, GroupRouter router, ControlState control)
{
    /// <summary>The groups of a record, at least one.</summary>
    /// <exception cref="UnsupportedRecordException">No redo exists for it: it must not be shipped.</exception>
    public ulong GroupsOf(in WalRecord record)
    {
        if (router.Groups == 1)
        {
            RecordSplitter.RequireSupported(version, record);
            return 1;
        }

        var sink = new RoutingSink(router);
        RecordSplitter.Split(version, record, control, ref sink);
        bool moved = control.Apply(version, record);
        return moved || sink.Mask == 0 ? sink.Mask | 1 : sink.Mask;
    }

    /// <summary>The same check for a record that goes to every group in parts. What it does to the counters is not followed: that makes later records look
    /// as if they moved them, never the other way round.</summary>
    /// <param name="record">The first part.</param>
    /// <exception cref="UnsupportedRecordException">No redo exists for it: it must not be shipped.</exception>
    public void RequireStorable(in WalRecord record) => RecordSplitter.RequireSupported(version, record);
}
