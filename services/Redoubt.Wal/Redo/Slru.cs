namespace Redoubt.Wal.Redo;

/// <summary>Shape of the SLRUs' pages: access/transam/clog.c, commit_ts.c, multixact.c. None of them has a page header.</summary>
internal static class Slru
{
    /// <summary><c>TRANSACTION_STATUS_COMMITTED</c>.</summary>
    public const byte Committed = 0x01;

    /// <summary><c>TRANSACTION_STATUS_ABORTED</c>.</summary>
    public const byte Aborted = 0x02;

    /// <summary><c>CLOG_XACTS_PER_PAGE</c>: two bits each.</summary>
    public const uint XidsPerClogPage = PageRedo.PageSize * 4;

    /// <summary><c>SizeOfCommitTimestampEntry</c>: 8 bytes time, 2 bytes origin.</summary>
    public const int CommitTsEntryLength = 10;

    /// <summary><c>COMMIT_TS_XACTS_PER_PAGE</c>.</summary>
    public const uint XidsPerCommitTsPage = PageRedo.PageSize / CommitTsEntryLength;

    /// <summary><c>MULTIXACT_OFFSETS_PER_PAGE</c>.</summary>
    public const uint OffsetsPerPage = PageRedo.PageSize / 4;

    /// <summary><c>MULTIXACT_MEMBERGROUP_SIZE</c>: 4 bytes of flags, then 4 xids.</summary>
    public const int MemberGroupLength = 20;

    /// <summary><c>MULTIXACT_MEMBERS_PER_PAGE</c>.</summary>
    public const uint MembersPerPage = PageRedo.PageSize / MemberGroupLength * 4;

    /// <summary><c>MXOffsetToMemberPage</c>.</summary>
    public static uint MembersPage(uint offset) => offset / MembersPerPage;
}
