namespace Redoubt.Wal;

/// <summary>A major version of PostgreSQL whose log this library reads.</summary>
public enum PgVersion
{
    /// <summary>PostgreSQL 17 (<c>XLOG_PAGE_MAGIC</c> 0xD116).</summary>
    Pg17 = 17,

    /// <summary>PostgreSQL 18 (<c>XLOG_PAGE_MAGIC</c> 0xD118).</summary>
    Pg18 = 18,
}
