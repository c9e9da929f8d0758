using System.Globalization;

namespace Redoubt.Wal;

/// <summary>
/// Arithmetic on positions in the log: pages of 8 KiB (<c>XLOG_BLCKSZ</c>) with a header each, in files of 16 MiB
/// (<c>wal_segment_size</c>, the only size that Redoubt's clusters have). Sources: access/xlog_internal.h, access/xlog.h.
/// </summary>
public static class WalAddress
{
    /// <summary><c>XLOG_BLCKSZ</c>, bytes.</summary>
    public const int PageSize = 8192;

    /// <summary><c>wal_segment_size</c>, bytes.</summary>
    public const int SegmentSize = 16 * 1024 * 1024;

    /// <summary><c>SizeOfXLogShortPHD</c>: header of every page but a segment's first, bytes.</summary>
    public const int ShortHeaderLength = 24;

    /// <summary><c>SizeOfXLogLongPHD</c>: header of a segment's first page, bytes.</summary>
    public const int LongHeaderLength = 40;

    /// <summary>The page that holds a position.</summary>
    public static Lsn PageStart(Lsn lsn) => new(lsn.Value & ~(ulong)(PageSize - 1));

    /// <summary>Offset inside the page, bytes.</summary>
    public static int PageOffset(Lsn lsn) => (int)(lsn.Value & (PageSize - 1));

    /// <summary>The segment file's first position.</summary>
    public static Lsn SegmentStart(Lsn lsn) => new(lsn.Value & ~(ulong)(SegmentSize - 1));

    /// <summary>Offset inside the segment file, bytes.</summary>
    public static int SegmentOffset(Lsn lsn) => (int)(lsn.Value & (SegmentSize - 1));

    /// <summary>Length of the header of the page that holds a position: 40 bytes for the first of a segment, else 24.</summary>
    public static int PageHeaderLength(Lsn lsn) => SegmentOffset(lsn) < PageSize ? LongHeaderLength : ShortHeaderLength;

    /// <summary>
    /// Where the record after one that ends at <paramref name="end"/> starts: the same place, or past the page header when the end
    /// is exactly a page boundary.
    /// </summary>
    public static Lsn NextRecordStart(Lsn end) => PageOffset(end) == 0 ? end + (ulong)PageHeaderLength(end) : end;

    /// <summary>
    /// End of a record (aligned to 8, as <c>EndRecPtr</c>) of <paramref name="length"/> bytes (<c>xl_tot_len</c>) that starts at
    /// <paramref name="start"/>, counting the page headers it crosses. Not for <c>XLOG_SWITCH</c>, which ends with its segment.
    /// </summary>
    public static Lsn RecordEnd(Lsn start, uint length)
    {
        return PositionAfter(start, Align8(length));
    }

    /// <summary>The position that the first <paramref name="length"/> bytes of a record that starts at <paramref name="start"/> reach, counting the page
    /// headers they cross; a page's end rather than the next one's first byte of data.</summary>
    public static Lsn PositionAfter(Lsn start, ulong length)
    {
        ulong left = length;
        ulong at = NextRecordStart(start).Value;
        while (true)
        {
            ulong room = PageSize - (at & (PageSize - 1));
            if (left <= room)
            {
                return new Lsn(at + left);
            }

            left -= room;
            at += room;
            at += (ulong)PageHeaderLength(new Lsn(at));
        }
    }

    /// <summary>Position after an <c>XLOG_SWITCH</c> record whose bytes end at <paramref name="end"/>: the next segment's start.</summary>
    public static Lsn SwitchEnd(Lsn end) => new((end.Value + SegmentSize - 1) & ~(ulong)(SegmentSize - 1));

    /// <summary>Name of the segment file that holds a position (<c>XLogFileName</c>): 24 hex digits.</summary>
    public static string SegmentFileName(uint timeline, Lsn lsn)
    {
        ulong segment = lsn.Value / SegmentSize;
        const ulong perId = 0x100000000UL / SegmentSize;
        return string.Create(CultureInfo.InvariantCulture, $"{timeline:X8}{segment / perId:X8}{segment % perId:X8}");
    }

    /// <summary>Timeline and first position of a segment file by its name; false when the name is not one.</summary>
    public static bool TryParseSegmentFileName(ReadOnlySpan<char> name, out uint timeline, out Lsn start)
    {
        start = default;
        timeline = 0;
        const NumberStyles hex = NumberStyles.AllowHexSpecifier;
        if (name.Length != 24
            || !uint.TryParse(name[..8], hex, CultureInfo.InvariantCulture, out timeline)
            || !uint.TryParse(name[8..16], hex, CultureInfo.InvariantCulture, out uint id)
            || !uint.TryParse(name[16..], hex, CultureInfo.InvariantCulture, out uint segment)
            || segment >= 0x100000000UL / SegmentSize)
        {
            return false;
        }

        start = new Lsn(((ulong)id << 32) + ((ulong)segment * SegmentSize));
        return true;
    }

    /// <summary><c>MAXALIGN</c>.</summary>
    public static ulong Align8(ulong value) => (value + 7) & ~7UL;
}
