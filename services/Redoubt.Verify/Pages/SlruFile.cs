using System.Globalization;
using Redoubt.Wal;

namespace Redoubt.Verify.Pages;

/// <summary>SLRU files of a data directory: 32 pages each, named by their number in hex (access/transam/slru.c).</summary>
public static class SlruFile
{
    /// <summary>Folder of an SLRU below the data directory.</summary>
    public static string Folder(Fork slru) => slru switch
    {
        Fork.SlruXact => "pg_xact",
        Fork.SlruMultiXactOffsets => "pg_multixact/offsets",
        Fork.SlruMultiXactMembers => "pg_multixact/members",
        Fork.SlruCommitTs => "pg_commit_ts",
        _ => throw new ArgumentOutOfRangeException(nameof(slru), slru, "Not an SLRU."),
    };

    /// <summary>The SLRUs that are part of a volume.</summary>
    public static IReadOnlyList<Fork> All { get; } =
        [Fork.SlruXact, Fork.SlruMultiXactOffsets, Fork.SlruMultiXactMembers, Fork.SlruCommitTs];

    /// <summary>Pages of a file (<c>SLRU_PAGES_PER_SEGMENT</c>).</summary>
    public const uint Pages = 32;

    /// <summary>Whether truncation before a page removes a file (<c>SlruMayDeleteSegment</c>): its first and its last page precede it.</summary>
    public static bool IsFileBefore(Fork slru, uint file, uint page) =>
        Precedes(slru, file * Pages, page) && Precedes(slru, (file * Pages) + Pages - 1, page);

    /// <summary>The file that holds an entry.</summary>
    public static uint Of(Fork slru, uint entry) => entry / EntriesPerPage(slru) / Pages;

    /// <summary>The file before, going around from the first to the last one of the range of 2^32 entries.</summary>
    public static uint FileBefore(Fork slru, uint file) => file == 0 ? Of(slru, uint.MaxValue) : file - 1;

    /// <summary><c>PagePrecedes</c>: every entry of one page is older than every entry of another, where half of the range is older.</summary>
    private static bool Precedes(Fork slru, uint page, uint other)
    {
        uint perPage = EntriesPerPage(slru);
        uint first = unchecked(page * perPage);
        uint otherFirst = unchecked(other * perPage);
        return unchecked((int)(first - otherFirst) < 0 && (int)(first - (otherFirst + perPage - 1)) < 0);
    }

    private static uint EntriesPerPage(Fork slru) => slru switch
    {
        Fork.SlruXact => 32768,
        Fork.SlruMultiXactOffsets => 2048,
        Fork.SlruMultiXactMembers => 1636,
        Fork.SlruCommitTs => 819,
        _ => throw new ArgumentOutOfRangeException(nameof(slru), slru, "Not an SLRU."),
    };

    /// <summary>Every file, with its SLRU and the number of its first page.</summary>
    public static IEnumerable<(Fork Slru, string Path, uint FirstPage)> Enumerate(string dataFolder)
    {
        foreach (Fork slru in All)
        {
            string folder = Path.Combine(dataFolder, Folder(slru));
            foreach (string path in Directory.Exists(folder) ? Directory.GetFiles(folder) : [])
            {
                if (uint.TryParse(Path.GetFileName(path), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint segment))
                {
                    yield return (slru, path, segment * Pages);
                }
            }
        }
    }
}
