using System.Buffers.Binary;
using System.Globalization;
using Redoubt.Verify.Pages;
using Redoubt.Wal;

namespace Redoubt.Verify;

/// <summary>
/// Compares what the log says beside relation pages with the files of a stock standby that replayed the same log and was shut down at the
/// same LSN: SLRUs page by page, relation maps, prepared transactions, replication origins, databases and the counters of pg_control.
/// </summary>
/// <remarks>
/// What is not compared, and why: <c>pg_subtrans</c>, <c>pg_notify</c>, <c>pg_serial</c> (emptied by every start), <c>pg_stat</c> (not
/// logged), <c>pg_internal.init</c> (a cache), <c>pg_replslot</c>, <c>pg_logical/mappings</c> and <c>snapshots</c> (belong to slots of one server),
/// <c>pg_wal</c> (the input), configuration and lock files. SLRU pages past the last one that the log made must be zero. Of
/// pg_control, the fields that only a running server has (state, time, minRecoveryPoint) are left out.
/// </remarks>
public sealed class StandbyComparison
{
    private readonly ClusterState _ours;
    private readonly string _folder;
    private readonly byte[] _page = new byte[PageRedo.PageSize];

    private StandbyComparison(ClusterState ours, string folder)
    {
        _ours = ours;
        _folder = folder;
    }

    /// <summary>Files compared.</summary>
    public long Files { get; private set; }

    /// <summary>Every difference, one sentence each.</summary>
    public List<string> Messages { get; } = [];

    /// <summary>Compares.</summary>
    /// <param name="ours">What redo made.</param>
    /// <param name="control">Counters after the log's last record.</param>
    /// <param name="standbyFolder">The stopped standby's data directory.</param>
    /// <param name="version">Its version.</param>
    public static StandbyComparison Run(ClusterState ours, ControlState control, string standbyFolder, PgVersion version)
    {
        var comparison = new StandbyComparison(ours, standbyFolder);
        comparison.Slrus();
        comparison.RelationMaps();
        comparison.PreparedTransactions();
        comparison.Origins();
        comparison.Databases();
        comparison.Tablespaces();
        comparison.Control(control, ReadStandbyControl(version, standbyFolder));
        return comparison;
    }

    /// <summary>A stopped standby's pg_control. Its state, "shut down in recovery", is the one field that a primary's after a shutdown
    /// does not have; it is changed so that the file can be read as such.</summary>
    /// <exception cref="WalFormatException">The standby did not stop as it should have.</exception>
    private static ControlState ReadStandbyControl(PgVersion version, string folder)
    {
        byte[] file = File.ReadAllBytes(Path.Combine(folder, "global", "pg_control"));
        if (ControlFile.State(file) == ControlFile.ShutDownInRecovery)
        {
            ControlFile.SetState(file, ControlFile.ShutDown);
        }

        return ControlState.FromControlFile(version, file);
    }

    private void Slrus()
    {
        var theirs = new HashSet<(Fork, uint)>();
        foreach (var (slru, path, firstPage) in SlruFile.Enumerate(_folder))
        {
            Files++;
            theirs.Add((slru, firstPage));
            using var file = File.OpenRead(path);
            for (uint page = firstPage; file.ReadAtLeast(_page, _page.Length, throwOnEndOfStream: false) == _page.Length; page++)
            {
                var ours = _ours.Pages.Find(PageKey.Slru(slru, page));
                int at = ours.IsEmpty ? _page.AsSpan().IndexOfAnyExcept((byte)0) : _page.AsSpan().CommonPrefixLength(ours);
                if (at >= 0 && at < PageRedo.PageSize)
                {
                    Messages.Add($"{SlruFile.Folder(slru)}/{Path.GetFileName(path)} page {page}: first difference at byte {at}, redo {(ours.IsEmpty ? "has no page" : $"0x{ours[at]:X2}")}, PostgreSQL 0x{_page[at]:X2}.");
                }
            }
        }

        foreach (Fork slru in SlruFile.All)
        {
            for (uint page = 0; page < _ours.Pages.SlruPages(slru); page += 32)
            {
                if (!theirs.Contains((slru, page)) && HasPage(slru, page))
                {
                    Messages.Add($"{SlruFile.Folder(slru)}: redo has pages of file {page / 32:X4}, PostgreSQL has no such file.");
                }
            }
        }
    }

    private bool HasPage(Fork slru, uint firstPage)
    {
        for (uint page = firstPage; page < firstPage + 32; page++)
        {
            if (!_ours.Pages.Find(PageKey.Slru(slru, page)).IsEmpty)
            {
                return true;
            }
        }

        return false;
    }

    private void RelationMaps()
    {
        foreach (var ((dbOid, spcOid), map) in _ours.RelationMaps)
        {
            Files++;
            string path = Path.Combine(DatabaseFolder(dbOid, spcOid), "pg_filenode.map");
            if (!File.Exists(path))
            {
                Messages.Add($"{path}: redo has this relation map, PostgreSQL has no such file.");
            }
            else if (!File.ReadAllBytes(path).AsSpan().SequenceEqual(map))
            {
                Messages.Add($"{path}: the relation map differs.");
            }
        }
    }

    private void PreparedTransactions()
    {
        string folder = Path.Combine(_folder, "pg_twophase");
        var theirs = Directory.GetFiles(folder).ToDictionary(
            path => ulong.Parse(Path.GetFileName(path), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture), File.ReadAllBytes);
        foreach (ulong fullXid in theirs.Keys.Union(_ours.Prepared.Keys))
        {
            Files++;
            const int crc = 4;
            if (!theirs.TryGetValue(fullXid, out byte[]? file))
            {
                Messages.Add($"Prepared transaction {fullXid}: redo has it, PostgreSQL has no file.");
            }
            else if (!_ours.Prepared.TryGetValue(fullXid, out byte[]? state))
            {
                Messages.Add($"Prepared transaction {fullXid}: PostgreSQL has a file, redo does not have it.");
            }
            else if (!file.AsSpan(0, file.Length - crc).SequenceEqual(state))
            {
                Messages.Add($"Prepared transaction {fullXid}: the state differs.");
            }
        }
    }

    /// <summary><c>ReplicationStateOnDisk</c> after a magic number (replication/logical/origin.c).</summary>
    private void Origins()
    {
        const int magic = 4, entry = 16, crc = 4;
        string path = Path.Combine(_folder, "pg_logical", "replorigin_checkpoint");
        var theirs = new Dictionary<ushort, Lsn>();
        if (File.Exists(path))
        {
            byte[] bytes = File.ReadAllBytes(path);
            for (int at = magic; at + entry + crc <= bytes.Length; at += entry)
            {
                theirs[BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at))] = new Lsn(BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at + 8)));
            }
        }

        Files++;
        foreach (ushort origin in theirs.Keys.Union(_ours.Origins.Keys))
        {
            var our = _ours.Origins.GetValueOrDefault(origin);
            var their = theirs.GetValueOrDefault(origin);
            if (our != their)
            {
                Messages.Add($"Replication origin {origin}: redo is at {our}, PostgreSQL at {their}.");
            }
        }
    }

    private void Databases()
    {
        foreach (var (dbOid, spcOid) in _ours.Databases)
        {
            Files++;
            if (!File.Exists(Path.Combine(DatabaseFolder(dbOid, spcOid), "PG_VERSION")))
            {
                Messages.Add($"Database {dbOid} in tablespace {spcOid}: redo has it, PostgreSQL has no PG_VERSION there.");
            }
        }

        foreach (var (dbOid, spcOid) in RelationFile.DatabasesWithVersion(_folder))
        {
            if (!_ours.RelationMaps.ContainsKey((dbOid, spcOid)))
            {
                Messages.Add($"Database {dbOid} in tablespace {spcOid}: PostgreSQL has it, redo does not.");
            }
        }
    }

    private void Tablespaces()
    {
        var theirs = new HashSet<uint>();
        foreach (string path in Directory.GetFileSystemEntries(Path.Combine(_folder, "pg_tblspc")))
        {
            theirs.Add(uint.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture));
        }

        Files++;
        foreach (uint spcOid in theirs.Union(_ours.Tablespaces))
        {
            if (theirs.Contains(spcOid) != _ours.Tablespaces.Contains(spcOid))
            {
                Messages.Add($"Tablespace {spcOid}: {(theirs.Contains(spcOid) ? "PostgreSQL has it, redo does not." : "redo has it, PostgreSQL does not.")}");
            }
        }
    }

    private void Control(ControlState ours, ControlState theirs)
    {
        Files++;
        Field("position", ours.Lsn, theirs.Lsn);
        Field("last record", ours.LastRecordStart, theirs.LastRecordStart);
        Field("next xid", ours.NextFullXid, theirs.NextFullXid);
        Field("next oid", ours.NextOid, theirs.NextOid);
        Field("next multixact", ours.NextMultiXact, theirs.NextMultiXact);
        Field("next multixact offset", ours.NextMultiXactOffset, theirs.NextMultiXactOffset);
        Field("oldest xid", ours.OldestXid, theirs.OldestXid);
        Field("oldest multixact", ours.OldestMultiXact, theirs.OldestMultiXact);
        Field("oldest commit timestamp xid", ours.OldestCommitTimestampXid, theirs.OldestCommitTimestampXid);
        Field("newest commit timestamp xid", ours.NewestCommitTimestampXid, theirs.NewestCommitTimestampXid);
        Field("wal_level", ours.WalLevel, theirs.WalLevel);
        Field("max_connections", ours.MaxConnections, theirs.MaxConnections);
        Field("max_prepared_transactions", ours.MaxPreparedTransactions, theirs.MaxPreparedTransactions);
        Field("track_commit_timestamp", ours.TrackCommitTimestamp, theirs.TrackCommitTimestamp);
        Field("last checkpoint", ours.LastCheckpointStart, theirs.LastCheckpointStart);
    }

    private void Field<T>(string name, T ours, T theirs)
    {
        if (!EqualityComparer<T>.Default.Equals(ours, theirs))
        {
            Messages.Add($"pg_control, {name}: redo has {ours}, PostgreSQL {theirs}.");
        }
    }

    private string DatabaseFolder(uint dbOid, uint spcOid)
    {
        const uint defaultTablespace = 1663;
        if (dbOid == 0)
        {
            return Path.Combine(_folder, "global");
        }

        string parent = Path.Combine(_folder, "base");
        if (spcOid != defaultTablespace)
        {
            string tablespace = Path.Combine(_folder, "pg_tblspc", spcOid.ToString(CultureInfo.InvariantCulture));
            parent = (Directory.Exists(tablespace) ? Directory.GetDirectories(tablespace, "PG_*").FirstOrDefault() : null) ?? tablespace;
        }

        return Path.Combine(parent, dbOid.ToString(CultureInfo.InvariantCulture));
    }
}
