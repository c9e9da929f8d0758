namespace Redoubt.Wal;

/// <summary>Kinds of changes that PostgreSQL's redo makes without a block reference (<see cref="BlockChange.Implicit"/>).
/// Their <see cref="BlockChange.MainData"/> is little-endian, as each member says. The two kinds that follow a truncation mean nothing
/// for a page that does not exist, and do not make it (<see cref="BlockChange.MakesPage"/>).</summary>
public enum ImplicitChange : byte
{
    /// <summary>Clear visibility-map bits: 4 bytes heap block, 1 byte bits (<c>visibilitymap_clear</c>).</summary>
    VisibilityMapClear = 1,

    /// <summary>Zero an SLRU page (<c>CLOG_ZEROPAGE</c> and its like); starts a chain.</summary>
    SlruZeroPage = 2,

    /// <summary>Commit-log status: 1 byte status, then 4 bytes per xid on this page.</summary>
    XidStatus = 3,

    /// <summary>Multixact offset: 4 bytes multixact id, 4 bytes member offset.</summary>
    MultiXactOffset = 4,

    /// <summary>Multixact members on this page: 4 bytes first member offset, then 5 bytes per member (4 bytes xid, 1 byte status).</summary>
    MultiXactMembers = 5,

    /// <summary>Commit timestamp: 8 bytes timestamp, 2 bytes origin, then 4 bytes per xid on this page.</summary>
    CommitTimestamp = 6,

    /// <summary>Free-space map after a truncation: 4 bytes first heap block past the end (<c>FreeSpaceMapPrepareTruncateRel</c>).</summary>
    FreeSpaceMapTruncate = 7,

    /// <summary>Visibility map after a truncation: 4 bytes first heap block past the end (<c>visibilitymap_prepare_truncate</c>).</summary>
    VisibilityMapTruncate = 8,

    /// <summary>A whole page as imported: <see cref="BlockChange.Image"/>; starts a chain.</summary>
    Import = 9,
}
