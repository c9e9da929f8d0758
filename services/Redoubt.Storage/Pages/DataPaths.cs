using System.Globalization;
using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <summary>Where PostgreSQL keeps a database's small files, relative to the data directory (common/relpath.h).</summary>
internal static class DataPaths
{
    private const uint DefaultTablespace = 1663;
    private const uint GlobalTablespace = 1664;

    /// <summary><c>TABLESPACE_VERSION_DIRECTORY</c>: major version and CATALOG_VERSION_NO (catalog/catversion.h).</summary>
    public static string TablespaceVersion(PgVersion version) => version switch
    {
        PgVersion.Pg17 => "PG_17_202406281",
        PgVersion.Pg18 => "PG_18_202506291",
        _ => throw new ArgumentOutOfRangeException(nameof(version), version, "unknown PostgreSQL version"),
    };

    /// <summary>Folder of a database in a tablespace (<c>GetDatabasePath</c>).</summary>
    public static string DatabaseFolder(PgVersion version, uint dbOid, uint spcOid) => spcOid switch
    {
        GlobalTablespace => "global",
        DefaultTablespace => string.Create(CultureInfo.InvariantCulture, $"base/{dbOid}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"pg_tblspc/{spcOid}/{TablespaceVersion(version)}/{dbOid}"),
    };

    /// <summary>The relation map of a database, or the shared one (dbOid 0).</summary>
    public static string RelationMap(PgVersion version, uint dbOid, uint spcOid) =>
        dbOid == 0 ? "global/pg_filenode.map" : DatabaseFolder(version, dbOid, spcOid) + "/pg_filenode.map";
}
