namespace Redoubt.Wal;

/// <summary>A change cannot be applied to the page it is for: the page or the record's arguments are not what redo requires.</summary>
public sealed class RedoException(PageKey key, Lsn lsn, byte rmgr, byte info, string message)
    : Exception($"{lsn}: {RmgrNames.Describe(rmgr, info)} on {key}: {message}")
{
    public PageKey Key { get; } = key;
    public Lsn Lsn { get; } = lsn;
    public byte Rmgr { get; } = rmgr;
    public byte Info { get; } = info;
}
