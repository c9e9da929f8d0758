using System.Globalization;
using System.Text.RegularExpressions;
using Redoubt.Wal;

namespace Redoubt.Verify.Pages;

/// <summary>A relation's file in a data directory: one segment of one fork (common/relpath.c).</summary>
/// <param name="Path">The file.</param>
/// <param name="Rel">Which relation.</param>
/// <param name="Fork">Which fork.</param>
/// <param name="FirstBlock">Block number of the file's first page: segments hold 131,072.</param>
/// <param name="IsTemporary">A temporary relation's file (<c>tN_M</c>).</param>
public readonly partial record struct RelationFile(string Path, RelFileLocator Rel, Fork Fork, uint FirstBlock, bool IsTemporary)
{
    private const uint DefaultTablespace = 1663;
    private const uint GlobalTablespace = 1664;
    private const uint BlocksPerSegment = 131072;

    /// <summary>All relation files of a data directory, tablespaces included.</summary>
    public static IEnumerable<RelationFile> Enumerate(string dataFolder)
    {
        foreach (var file in InFolder(System.IO.Path.Combine(dataFolder, "global"), GlobalTablespace, 0))
        {
            yield return file;
        }

        foreach (var (folder, spcOid, dbOid) in DatabaseFolders(dataFolder))
        {
            foreach (var file in InFolder(folder, spcOid, dbOid))
            {
                yield return file;
            }
        }
    }

    /// <summary>The databases that live in a tablespace by name, not only with some of their relations: their folders have a PG_VERSION.</summary>
    public static IEnumerable<(uint DbOid, uint SpcOid)> DatabasesWithVersion(string dataFolder) => DatabaseFolders(dataFolder)
        .Where(database => File.Exists(System.IO.Path.Combine(database.Folder, "PG_VERSION")))
        .Select(database => (database.DbOid, database.SpcOid));

    private static IEnumerable<(string Folder, uint SpcOid, uint DbOid)> DatabaseFolders(string dataFolder)
    {
        var places = new List<(string Folder, uint SpcOid)> { (System.IO.Path.Combine(dataFolder, "base"), DefaultTablespace) };
        string tablespaces = System.IO.Path.Combine(dataFolder, "pg_tblspc");
        foreach (string tablespace in Directory.Exists(tablespaces) ? Directory.GetDirectories(tablespaces) : [])
        {
            if (uint.TryParse(System.IO.Path.GetFileName(tablespace), CultureInfo.InvariantCulture, out uint spcOid))
            {
                places.AddRange(Directory.GetDirectories(tablespace, "PG_*").Select(version => (version, spcOid)));
            }
        }

        foreach (var (place, spcOid) in places)
        {
            foreach (string database in Directory.GetDirectories(place))
            {
                if (uint.TryParse(System.IO.Path.GetFileName(database), CultureInfo.InvariantCulture, out uint dbOid))
                {
                    yield return (database, spcOid, dbOid);
                }
            }
        }
    }

    private static IEnumerable<RelationFile> InFolder(string folder, uint spcOid, uint dbOid)
    {
        foreach (string path in Directory.GetFiles(folder))
        {
            var match = Name().Match(System.IO.Path.GetFileName(path));
            if (!match.Success)
            {
                continue;
            }

            Fork fork = match.Groups["fork"].Value switch
            {
                "_fsm" => Fork.FreeSpaceMap,
                "_vm" => Fork.VisibilityMap,
                "_init" => Fork.Init,
                _ => Fork.Main,
            };
            uint number = uint.Parse(match.Groups["number"].ValueSpan, CultureInfo.InvariantCulture);
            uint segment = match.Groups["segment"].Success ? uint.Parse(match.Groups["segment"].ValueSpan, CultureInfo.InvariantCulture) : 0;
            yield return new RelationFile(
                path, new RelFileLocator(spcOid, dbOid, number), fork, segment * BlocksPerSegment, match.Groups["temporary"].Success);
        }
    }

    [GeneratedRegex(@"^(?<temporary>t\d+_)?(?<number>\d+)(?<fork>_fsm|_vm|_init)?(\.(?<segment>\d+))?$", RegexOptions.CultureInvariant)]
    private static partial Regex Name();
}
