namespace Redoubt.Wal;

/// <content>A state that knows nothing.</content>
public sealed partial class ControlState
{
    /// <summary>All counters zero: for a follower of a part of the log that the imported counters did not reach. Enough for splitting records
    /// that only touch relation pages; no pg_control can be made from it.</summary>
    public static ControlState Blank(PgVersion version) => new(
        version,
        new byte[VersionFormat.Of(version).ControlCrcOffset],
        new byte[CheckPointFields.Length],
        new byte[CheckPointFields.Length],
        new byte[CheckPointFields.Length]);
}
