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

    /// <summary>The file that holds an entry.</summary>
    public static uint Of(Fork slru, uint entry) => entry / EntriesPerPage(slru) / Pages;

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
