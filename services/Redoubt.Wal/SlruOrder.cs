using Redoubt.Wal.Redo;

namespace Redoubt.Wal;

/// <summary>Which pages of an SLRU are older than others: numbers wrap around with the ids they hold (<c>PagePrecedes</c> of clog.c, commit_ts.c, multixact.c).</summary>
public static class SlruOrder
{
    private const uint PagesPerSegment = 32;
    private const uint FirstNormalXid = 3;
    private const uint FirstMultiXact = 1;

    /// <summary>
    /// Whether truncating an SLRU to a page removes another page: PostgreSQL removes whole segment files that precede it
    /// (<c>SlruMayDeleteSegment</c>). Never for multixact members: their live part may be longer than half of the circle, so order says nothing there.
    /// </summary>
    public static bool IsRemoved(Fork slru, uint page, uint firstKept)
    {
        uint segment = page & ~(PagesPerSegment - 1);
        uint kept = firstKept & ~(PagesPerSegment - 1);
        return Precedes(slru, segment, kept) && Precedes(slru, segment + PagesPerSegment - 1, kept);
    }

    /// <summary>Whether truncating to a page would remove the page in use: PostgreSQL then leaves everything (<c>SimpleLruTruncate</c>: "apparent wraparound").</summary>
    /// <param name="slru">pg_xact, multixact offsets or pg_commit_ts.</param>
    /// <param name="firstKept">The page.</param>
    /// <param name="control">Has the next xid and multixact.</param>
    public static bool IsApparentWraparound(Fork slru, uint firstKept, ControlState control) => Precedes(slru, slru switch
    {
        Fork.SlruXact => (uint)control.NextFullXid / Slru.XidsPerClogPage,
        Fork.SlruCommitTs => (uint)control.NextFullXid / Slru.XidsPerCommitTsPage,
        _ => control.NextMultiXact / Slru.OffsetsPerPage,
    }, firstKept);

    /// <summary>Whether a page of multixact members lies in one of the segment files from one page's to before another's, around the circle
    /// (<c>PerformMembersTruncation</c>).</summary>
    public static bool IsMembersPageIn(uint page, uint from, uint to)
    {
        uint file = page / PagesPerSegment, begin = from / PagesPerSegment, end = to / PagesPerSegment;
        return begin <= end ? file >= begin && file < end : file >= begin || file < end;
    }

    private static bool Precedes(Fork slru, uint page, uint other)
    {
        (uint perPage, uint first) = slru switch
        {
            Fork.SlruXact => (Slru.XidsPerClogPage, FirstNormalXid),
            Fork.SlruCommitTs => (Slru.XidsPerCommitTsPage, FirstNormalXid),
            Fork.SlruMultiXactOffsets => (Slru.OffsetsPerPage, FirstMultiXact),
            _ => (0u, 0u),
        };
        uint a = unchecked((page * perPage) + first + 1);
        uint b = unchecked((other * perPage) + first + 1);
        return perPage != 0 && unchecked((int)(a - b)) < 0 && unchecked((int)(a - (b + perPage - 1))) < 0;
    }
}
