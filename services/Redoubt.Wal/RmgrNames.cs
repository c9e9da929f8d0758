using System.Globalization;

namespace Redoubt.Wal;

/// <summary>Names of resource managers (access/rmgrlist.h, the same in 17 and 18) and record kinds, as pg_waldump prints them.</summary>
public static partial class RmgrNames
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

    /// <summary>
    /// The record kind's name as <c>rm_identify</c> gives it (access/rmgrdesc): <c>INSERT</c>, <c>HOT_UPDATE</c>, <c>SPLIT_L</c> …;
    /// for implicit changes the member of <see cref="ImplicitChange"/>. Kinds without a name: <c>UNKNOWN (f0)</c>.
    /// </summary>
    /// <param name="version">The log's version.</param>
    /// <param name="rmgr">Resource manager id.</param>
    /// <param name="info"><c>xl_info</c>; the low four bits do not matter but for implicit changes.</param>
    public static string Kind(PgVersion version, byte rmgr, byte info)
    {
        if (rmgr == BlockChange.Implicit)
        {
            return ((ImplicitChange)info).ToString();
        }

        return KnownKind(rmgr, (byte)(info & 0xF0))
            ?? string.Create(CultureInfo.InvariantCulture, $"UNKNOWN ({info & 0xF0:x2})");
    }

    /// <summary>True when stock PostgreSQL writes records of this kind.</summary>
    public static bool IsKnownKind(PgVersion version, byte rmgr, byte info) => KnownKind(rmgr, (byte)(info & 0xF0)) is not null;

    /// <summary>Every kind that stock PostgreSQL can write: (rmgr, info without low bits, name).</summary>
    public static IEnumerable<(byte Rmgr, byte Info, string Name)> AllKinds(PgVersion version)
    {
        for (byte rmgr = 0; rmgr < Names.Length; rmgr++)
        {
            for (int info = 0; info < 256; info += 16)
            {
                // XLOG_XACT_HAS_INFO says something about the record's contents, not its kind.
                bool duplicate = rmgr == RmgrId.Transaction && (info & 0x80) != 0;
                if (!duplicate && KnownKind(rmgr, (byte)info) is { } name)
                {
                    yield return (rmgr, (byte)info, name);
                }
            }
        }
    }

    /// <summary>For messages: the manager's name and the record kind.</summary>
    public static string Describe(byte rmgr, byte info)
    {
        string? kind = rmgr == BlockChange.Implicit ? ((ImplicitChange)info).ToString() : KnownKind(rmgr, (byte)(info & 0xF0));
        return string.Create(CultureInfo.InvariantCulture, $"{Rmgr(rmgr)} {kind ?? "kind"} 0x{info:X2}");
    }
}
