namespace Redoubt.Wal;

/// <summary>A well-formed record of a resource manager or kind that this library has no redo for.</summary>
public sealed class UnsupportedRecordException(Lsn lsn, byte rmgr, byte info, string message)
    : WalFormatException(lsn, message)
{
    /// <summary>Resource manager id.</summary>
    public byte Rmgr { get; } = rmgr;

    /// <summary><c>xl_info</c>.</summary>
    public byte Info { get; } = info;
}
