namespace Redoubt.Wal;

/// <summary>What differs between PostgreSQL's major versions in the bytes this library reads and writes: one instance a version
/// (folders V17, V18). Redo that differs asks here or lives in those folders.</summary>
internal abstract class VersionFormat
{
    /// <summary><c>XLOG_PAGE_MAGIC</c> (access/xlog_internal.h).</summary>
    public abstract ushort PageMagic { get; }

    /// <summary><c>PG_CONTROL_VERSION</c> (catalog/pg_control.h).</summary>
    public abstract uint ControlVersion { get; }

    /// <summary>Offset of <c>ControlFileData.crc</c>, bytes.</summary>
    public abstract int ControlCrcOffset { get; }

    /// <summary><c>sizeof(xl_xact_stats_item)</c> (access/xact.h), bytes.</summary>
    public abstract int XactStatsItemSize { get; }

    /// <summary>The format of a version.</summary>
    public static VersionFormat Of(PgVersion version) => version switch
    {
        PgVersion.Pg17 => V17.Format17.Instance,
        PgVersion.Pg18 => V18.Format18.Instance,
        _ => throw new ArgumentOutOfRangeException(nameof(version), version, "Only 17 and 18 are known."),
    };
}
