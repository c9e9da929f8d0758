namespace Redoubt.Wal;

/// <summary>Resource manager ids (access/rmgrlist.h; the same in 17 and 18).</summary>
public static class RmgrId
{
    public const byte Xlog = 0;
    public const byte Transaction = 1;
    public const byte Storage = 2;
    public const byte Clog = 3;
    public const byte Database = 4;
    public const byte Tablespace = 5;
    public const byte MultiXact = 6;
    public const byte RelMap = 7;
    public const byte Standby = 8;
    public const byte Heap2 = 9;
    public const byte Heap = 10;
    public const byte Btree = 11;
    public const byte Hash = 12;
    public const byte Gin = 13;
    public const byte Gist = 14;
    public const byte Sequence = 15;
    public const byte SpGist = 16;
    public const byte Brin = 17;
    public const byte CommitTs = 18;
    public const byte ReplicationOrigin = 19;
    public const byte Generic = 20;
    public const byte LogicalMessage = 21;

    /// <summary><c>RM_MIN_CUSTOM_ID</c>: ids from here on belong to extensions.</summary>
    public const byte MinCustom = 128;

    /// <summary><c>RmgrIdIsValid</c>.</summary>
    public static bool IsValid(byte rmgr) => rmgr <= LogicalMessage || rmgr >= MinCustom;
}
