using System.Globalization;
using Redoubt.Wal;

namespace Redoubt.Compute.Postgres;

/// <summary>
/// Names of files in a data directory ↔ page keys (common/relpath.c, access/slru.c): <c>base/5/16384_vm.1</c>, <c>global/1262</c>,
/// <c>pg_tblspc/16400/PG_17_202406281/5/16401</c>, <c>pg_xact/0000</c>.
/// </summary>
public static class DataPath
{
    /// <summary><c>RELSEG_SIZE</c>: blocks of a full segment file (1 GiB).</summary>
    public const uint SegmentBlocks = 131_072;

    /// <summary><c>SLRU_PAGES_PER_SEGMENT</c>.</summary>
    public const uint SlruPagesPerFile = 32;

    /// <summary><c>DEFAULTTABLESPACE_OID</c>.</summary>
    public const uint DefaultSpace = 1663;

    /// <summary><c>GLOBALTABLESPACE_OID</c>.</summary>
    public const uint GlobalSpace = 1664;

    private static readonly (string Suffix, Fork Fork)[] Forks = [("_fsm", Fork.FreeSpaceMap), ("_vm", Fork.VisibilityMap), ("_init", Fork.Init)];
    private static readonly (string Folder, Fork Fork)[] Slrus =
    [
        ("pg_xact", Fork.SlruXact),
        ("pg_multixact/offsets", Fork.SlruMultiXactOffsets),
        ("pg_multixact/members", Fork.SlruMultiXactMembers),
        ("pg_commit_ts", Fork.SlruCommitTs),
    ];

    /// <summary><c>TABLESPACE_VERSION_DIRECTORY</c>.</summary>
    public static string TablespaceVersionFolder(PgVersion version) => version switch
    {
        PgVersion.Pg17 => "PG_17_202406281",
        PgVersion.Pg18 => "PG_18_202506291",
        _ => throw new ArgumentOutOfRangeException(nameof(version)),
    };

    /// <summary>Folder of a database in a tablespace, relative to the data directory.</summary>
    public static string DatabaseFolder(PgVersion version, uint spcOid, uint dbOid) => spcOid switch
    {
        GlobalSpace => "global",
        DefaultSpace => string.Create(CultureInfo.InvariantCulture, $"base/{dbOid}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"pg_tblspc/{spcOid}/{TablespaceVersionFolder(version)}/{dbOid}"),
    };

    /// <summary>A fork's file name without segment number, relative to the data directory.</summary>
    public static string RelationFile(PgVersion version, in RelFileLocator rel, Fork fork)
    {
        string suffix = fork switch
        {
            Fork.Main => string.Empty,
            Fork.FreeSpaceMap => "_fsm",
            Fork.VisibilityMap => "_vm",
            Fork.Init => "_init",
            _ => throw new ArgumentOutOfRangeException(nameof(fork)),
        };
        return string.Create(CultureInfo.InvariantCulture, $"{DatabaseFolder(version, rel.SpcOid, rel.DbOid)}/{rel.RelNumber}{suffix}");
    }

    /// <summary>Folder of an SLRU.</summary>
    public static string SlruFolder(Fork slru) => Array.Find(Slrus, s => s.Fork == slru).Folder ?? throw new ArgumentOutOfRangeException(nameof(slru));

    /// <summary>An SLRU's file.</summary>
    public static string SlruFile(Fork slru, uint file) => string.Create(CultureInfo.InvariantCulture, $"{SlruFolder(slru)}/{file:X4}");

    /// <summary>The key of a file's first page; false when the path names no relation or SLRU file that storage knows.</summary>
    public static bool TryParse(ReadOnlySpan<char> path, out PageKey first)
    {
        first = default;
        if (path.StartsWith("./"))
        {
            path = path[2..];
        }

        foreach (var (folder, slru) in Slrus)
        {
            if (path.StartsWith(folder) && path.Length > folder.Length + 1 && path[folder.Length] == '/')
            {
                var name = path[(folder.Length + 1)..];
                if (name.Length is < 4 or > 6 || !uint.TryParse(name, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint file))
                {
                    return false;
                }

                first = PageKey.Slru(slru, file * SlruPagesPerFile);
                return true;
            }
        }

        uint spc;
        uint db = 0;
        if (TrySkip(ref path, "global/"))
        {
            spc = GlobalSpace;
        }
        else if (TrySkip(ref path, "base/"))
        {
            spc = DefaultSpace;
            if (!TryOidFolder(ref path, out db))
            {
                return false;
            }
        }
        else if (TrySkip(ref path, "pg_tblspc/"))
        {
            if (!TryOidFolder(ref path, out spc))
            {
                return false;
            }

            int slash = path.IndexOf('/');
            if (slash < 0)
            {
                return false;
            }

            path = path[(slash + 1)..];
            if (!TryOidFolder(ref path, out db))
            {
                return false;
            }
        }
        else
        {
            return false;
        }

        return TryRelationFile(path, spc, db, out first);
    }

    /// <summary>The key of a relation file's first page, from its name alone.</summary>
    public static bool TryRelationFile(ReadOnlySpan<char> name, uint spc, uint db, out PageKey first)
    {
        first = default;
        uint segment = 0;
        int dot = name.IndexOf('.');
        if (dot >= 0)
        {
            if (!uint.TryParse(name[(dot + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out segment) || segment >= 32_768)
            {
                return false;
            }

            name = name[..dot];
        }

        var fork = Fork.Main;
        foreach (var (suffix, f) in Forks)
        {
            if (name.EndsWith(suffix))
            {
                fork = f;
                name = name[..^suffix.Length];
            }
        }

        if (!uint.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out uint rel) || rel == 0)
        {
            return false;
        }

        first = new PageKey(new RelFileLocator(spc, db, rel), fork, segment * SegmentBlocks);
        return true;
    }

    private static bool TrySkip(ref ReadOnlySpan<char> path, string prefix)
    {
        if (!path.StartsWith(prefix))
        {
            return false;
        }

        path = path[prefix.Length..];
        return true;
    }

    private static bool TryOidFolder(ref ReadOnlySpan<char> path, out uint oid)
    {
        int slash = path.IndexOf('/');
        oid = 0;
        if (slash < 1 || !uint.TryParse(path[..slash], NumberStyles.None, CultureInfo.InvariantCulture, out oid))
        {
            return false;
        }

        path = path[(slash + 1)..];
        return true;
    }
}
