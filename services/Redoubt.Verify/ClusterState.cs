using Redoubt.Verify.Pages;
using Redoubt.Wal;

namespace Redoubt.Verify;

/// <summary>A database cluster as redo leaves it: pages, fork sizes, and the small files beside them.</summary>
public sealed class ClusterState : IDisposable
{
    /// <param name="dataFolder">A data directory after a clean shutdown, or a copy of one.</param>
    /// <param name="scratchFolder">Where pages beyond memory go.</param>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public ClusterState(string dataFolder, string scratchFolder)
    {
        Pages = new PageStore(scratchFolder);
        Pages.Load(dataFolder);
        LoadMap(Path.Combine(dataFolder, "global"), 0, 1664);
        foreach (string database in Directory.GetDirectories(Path.Combine(dataFolder, "base")))
        {
            if (uint.TryParse(Path.GetFileName(database), out uint dbOid))
            {
                LoadMap(database, dbOid, 1663);
            }
        }
    }

    public PageStore Pages { get; }

    /// <summary>Contents of <c>pg_filenode.map</c> by database and tablespace; database 0 is the shared one.</summary>
    public Dictionary<(uint DbOid, uint SpcOid), byte[]> RelationMaps { get; } = [];

    /// <summary>State of prepared transactions, without the CRC of their files.</summary>
    public SortedDictionary<ulong, byte[]> Prepared { get; } = [];

    /// <summary>Tablespaces made since the start.</summary>
    public HashSet<uint> Tablespaces { get; } = [];

    /// <summary>Progress of replication origins.</summary>
    public Dictionary<ushort, Lsn> Origins { get; } = [];

    /// <summary>Databases made by <c>WAL_LOG</c> since the start.</summary>
    public HashSet<(uint DbOid, uint SpcOid)> Databases { get; } = [];

    public void CreateDatabase(uint dbOid, uint spcOid) => Databases.Add((dbOid, spcOid));

    public void CopyDatabase(uint dbOid, uint spcOid, uint sourceDbOid, uint sourceSpcOid)
    {
        Databases.Add((dbOid, spcOid));
        Pages.CopyDatabase(dbOid, spcOid, sourceDbOid, sourceSpcOid);
        if (RelationMaps.TryGetValue((sourceDbOid, sourceSpcOid), out byte[]? map))
        {
            RelationMaps[(dbOid, spcOid)] = map;
        }
    }

    public void DropDatabase(uint dbOid, uint spcOid)
    {
        Databases.Remove((dbOid, spcOid));
        Pages.DropDatabase(dbOid, spcOid);
        RelationMaps.Remove((dbOid, spcOid));
    }

    public void Dispose() => Pages.Dispose();

    private void LoadMap(string folder, uint dbOid, uint spcOid)
    {
        string path = Path.Combine(folder, "pg_filenode.map");
        if (File.Exists(path))
        {
            RelationMaps[(dbOid, spcOid)] = File.ReadAllBytes(path);
        }
    }
}
