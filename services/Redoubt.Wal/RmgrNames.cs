using System.Globalization;

namespace Redoubt.Wal;

/// <summary>Names of resource managers (access/rmgrlist.h, the same in 17 and 18) and record kinds, as pg_waldump prints them.</summary>
public static class RmgrNames
{
    private static readonly string[] Names =
    [
        "XLOG", "Transaction", "Storage", "CLOG", "Database", "Tablespace", "MultiXact", "RelMap", "Standby", "Heap2", "Heap",
        "Btree", "Hash", "Gin", "Gist", "Sequence", "SPGist", "BRIN", "CommitTs", "ReplicationOrigin", "Generic", "LogicalMessage",
    ];

    /// <summary>The resource manager's name; <c>custom 128</c> and up for those of extensions.</summary>
    public static string Rmgr(byte rmgr) => rmgr < Names.Length ? Names[rmgr]
        : rmgr == BlockChange.Implicit ? "Implicit"
        : string.Create(CultureInfo.InvariantCulture, $"custom {rmgr}");

    /// <summary>For messages: the manager's name and its info bits.</summary>
    public static string Describe(byte rmgr, byte info) => string.Create(CultureInfo.InvariantCulture, $"{Rmgr(rmgr)} 0x{info:X2}");
}
