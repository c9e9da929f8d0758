using System.Buffers.Binary;
using System.Globalization;
using Redoubt.Compute.Runtime;
using Redoubt.Wal;

namespace Redoubt.Compute.Postgres;

/// <summary>
/// Writes a data directory as of one LSN: every relation and SLRU file a hole of the right size, the small files, and a pg_control with a log
/// that begins with the given checkpoint. Takes time by the number of files, not by their size.
/// </summary>
/// <remarks>
/// Unlogged relations are reset as after a crash: the main fork becomes a copy of the init fork, as real data; their other forks are left out.
/// </remarks>
public sealed class DataDirectory(string root, PgVersion version, OsAccount owner)
{
    private static readonly string[] Folders =
    [
        "global", "pg_wal", "pg_wal/archive_status", "pg_wal/summaries", "pg_commit_ts", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots",
        "pg_subtrans", "pg_twophase", "pg_multixact", "pg_multixact/members", "pg_multixact/offsets", "base", "pg_replslot", "pg_tblspc", "pg_stat",
        "pg_stat_tmp", "pg_xact", "pg_logical", "pg_logical/snapshots", "pg_logical/mappings",
    ];

    private const UnixFileMode PrivateFolder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode PrivateFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const int FilesAtOnce = 8;
    private static readonly EnumerationOptions NotThroughLinks = new() { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint };
    private const uint ReplicationStateMagic = 0x1257DADE; // origin.c

    private readonly HashSet<string> _folders = [];

    public string Root => root;

    /// <summary>Where PostgreSQL puts the tablespaces that it cannot put where they belong.</summary>
    private string StrayTablespaces => root + ".tablespaces";

    /// <summary>Where discarded folders are until they are deleted.</summary>
    private string Attic => root + ".old";

    /// <summary>Moves the old directory away and makes a new empty one with PostgreSQL's folders.</summary>
    public void Recreate()
    {
        Discard(root);
        Discard(StrayTablespaces);
        _folders.Clear();
        MakeFolder(root);
        foreach (string folder in Folders)
        {
            MakeFolder(Path.Combine(root, folder));
        }
    }

    /// <summary>Moves a folder beside the data directory away, if it is there, until <see cref="DeleteDiscarded"/>.</summary>
    public void Discard(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.CreateDirectory(Attic);
            Directory.Move(folder, Path.Combine(Attic, string.Create(CultureInfo.InvariantCulture, $"{DateTime.UtcNow.Ticks:x16}-{Guid.NewGuid():N}")));
        }
    }

    /// <summary>Frees the space of discarded files at once, and deletes those discarded so long ago.</summary>
    /// <remarks>The files stay for a while, empty: ext4 without a journal looks past inodes deleted in the last minutes, one by one, whenever a file is
    /// made, and the next data directory is a thousand files.</remarks>
    public void DeleteDiscarded(TimeSpan age)
    {
        if (!Directory.Exists(Attic))
        {
            return;
        }

        try
        {
            long before = (DateTime.UtcNow - age).Ticks;
            foreach (string folder in Directory.EnumerateDirectories(Attic))
            {
                if (!long.TryParse(Path.GetFileName(folder).Split('-')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out long discarded)
                    || discarded <= before)
                {
                    Directory.Delete(folder, recursive: true);
                    continue;
                }

                foreach (string file in Directory.EnumerateFiles(folder, "*", NotThroughLinks))
                {
                    using var handle = File.OpenHandle(file, FileMode.Open, FileAccess.Write);
                    RandomAccess.SetLength(handle, 0);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Tried again after the next start.
        }
    }

    /// <summary>Writes everything of <paramref name="data"/>.</summary>
    /// <param name="data">From storage.</param>
    /// <param name="initPages">All pages of an init fork, for unlogged relations.</param>
    /// <param name="warn">Told about a tablespace that cannot be where it belongs.</param>
    public void Write(BootstrapData data, IReadOnlyDictionary<RelFileLocator, byte[]> initPages, Action<string> warn)
    {
        foreach (var (oid, path) in data.Tablespaces)
        {
            MakeTablespace(oid, path, warn);
        }

        byte[] versionFile = [.. ((int)version).ToString(CultureInfo.InvariantCulture).Select(c => (byte)c), (byte)'\n'];
        WriteFile("PG_VERSION", versionFile);
        foreach (var (oid, spc) in data.Databases)
        {
            WriteFile($"{DataPath.DatabaseFolder(version, spc, oid)}/PG_VERSION", versionFile);
        }

        foreach (var (path, contents) in data.Files)
        {
            if (IsSafe(path))
            {
                WriteFile(path, contents.Span);
            }
        }

        MakeSparseFiles(data);

        foreach (var (rel, pages) in initPages)
        {
            WriteFile(DataPath.RelationFile(version, rel, Fork.Main), pages);
        }

        foreach (var (fullXid, state) in data.Prepared)
        {
            WriteFile($"pg_twophase/{fullXid:X16}", WithCrc(state.Span));
        }

        if (data.Origins.Count > 0)
        {
            WriteFile("pg_logical/replorigin_checkpoint", OriginFile(data.Origins));
        }
    }

    /// <summary>Writes pg_control and the log that begins at the checkpoint.</summary>
    public void WriteControl(ControlState control, in ShutdownCheckpoint checkpoint)
    {
        foreach (var segment in control.MakeWalSegments(version, checkpoint))
        {
            string path = Path.Combine(root, "pg_wal", segment.Name);
            NativeFile.CreateSparse(path, WalAddress.SegmentSize, owner);
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write);
            foreach (var (offset, bytes) in segment.Pieces)
            {
                RandomAccess.Write(file, bytes, offset);
            }
        }

        WriteFile("global/pg_control", control.MakeControlFile(version, checkpoint));
    }

    /// <summary>Writes one small file, owner read and write.</summary>
    public void WriteFile(string path, ReadOnlySpan<byte> contents)
    {
        string full = Path.Combine(root, path);
        MakeFolder(Path.GetDirectoryName(full)!);
        using (var file = File.OpenHandle(full, FileMode.Create, FileAccess.Write))
        {
            RandomAccess.Write(file, contents, 0);
        }

        File.SetUnixFileMode(full, PrivateFile);
        NativeFile.ChangeOwner(full, owner);
    }

    /// <summary>Several at once: making a file waits for the file system's journal, which storage next door keeps busy.</summary>
    private void MakeSparseFiles(BootstrapData data)
    {
        var forks = data.Forks.Where(f => f.Key.Fork is >= Fork.SlruXact or Fork.Init || !data.Forks.ContainsKey((f.Key.Rel, Fork.Init))).ToArray();
        foreach (var ((rel, fork), _) in forks)
        {
            if (fork < Fork.SlruXact)
            {
                MakeFolder(Path.Combine(root, DataPath.DatabaseFolder(version, rel.SpcOid, rel.DbOid)));
            }
        }

        Parallel.ForEach(forks, new ParallelOptions { MaxDegreeOfParallelism = FilesAtOnce }, fork =>
        {
            if (fork.Key.Fork >= Fork.SlruXact)
            {
                MakeSlru(fork.Key.Fork, fork.Value);
            }
            else
            {
                MakeFork(fork.Key.Rel, fork.Key.Fork, fork.Value);
            }
        });
    }

    private void MakeFork(in RelFileLocator rel, Fork fork, uint blocks)
    {
        string full = Path.Combine(root, DataPath.RelationFile(version, rel, fork));
        for (uint segment = 0; ; segment++)
        {
            uint left = blocks - (segment * DataPath.SegmentBlocks);
            uint here = Math.Min(left, DataPath.SegmentBlocks);
            string file = segment == 0 ? full : string.Create(CultureInfo.InvariantCulture, $"{full}.{segment}");
            NativeFile.CreateSparse(file, (long)here * PageRedo.PageSize, owner);
            if (left <= DataPath.SegmentBlocks)
            {
                return;
            }
        }
    }

    private void MakeSlru(Fork slru, uint pages)
    {
        uint file = 0;
        for (; pages > DataPath.SlruPagesPerFile; pages -= DataPath.SlruPagesPerFile)
        {
            NativeFile.CreateSparse(Path.Combine(root, DataPath.SlruFile(slru, file++)), DataPath.SlruPagesPerFile * (long)PageRedo.PageSize, owner);
        }

        if (pages > 0)
        {
            NativeFile.CreateSparse(Path.Combine(root, DataPath.SlruFile(slru, file)), pages * (long)PageRedo.PageSize, owner);
        }
    }

    private void MakeTablespace(uint oid, string location, Action<string> warn)
    {
        string link = Path.Combine(root, "pg_tblspc", oid.ToString(CultureInfo.InvariantCulture));
        string versionFolder = DataPath.TablespaceVersionFolder(version);
        if (location.Length == 0 || location.StartsWith("pg_tblspc/", StringComparison.Ordinal))
        {
            MakeFolder(Path.Combine(link, versionFolder));
            return;
        }

        string target = location;
        try
        {
            ResetTablespace(target, versionFolder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            target = Path.Combine(StrayTablespaces, oid.ToString(CultureInfo.InvariantCulture));
            warn($"tablespace {oid} cannot be at '{location}' ({e.Message}); its files are at '{target}'");
            MakeFolder(StrayTablespaces);
            ResetTablespace(target, versionFolder);
        }

        File.CreateSymbolicLink(link, target);
        NativeFile.ChangeOwner(link, owner);
    }

    private void ResetTablespace(string location, string versionFolder)
    {
        string folder = Path.Combine(location, versionFolder);
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        MakeFolder(location);
        MakeFolder(folder);
    }

    private void MakeFolder(string folder)
    {
        if (!_folders.Add(folder))
        {
            return;
        }

        string? parent = Path.GetDirectoryName(folder);
        if (parent is not null && folder.Length > root.Length && !Directory.Exists(parent))
        {
            MakeFolder(parent);
        }

        Directory.CreateDirectory(folder, PrivateFolder);
        NativeFile.ChangeOwner(folder, owner);
    }

    /// <summary>A path from storage stays inside the data directory.</summary>
    private static bool IsSafe(string path) => !Path.IsPathRooted(path) && !path.Split('/').Contains("..");

    private static byte[] WithCrc(ReadOnlySpan<byte> contents)
    {
        var file = new byte[contents.Length + 4];
        contents.CopyTo(file);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(contents.Length), Crc32C.Compute(contents));
        return file;
    }

    /// <summary><c>ReplicationStateOnDisk</c> (origin.c): magic, per origin u16 and its remote LSN at offset 8, CRC-32C.</summary>
    private static byte[] OriginFile(IReadOnlyList<(ushort Origin, ulong RemoteLsn)> origins)
    {
        var file = new byte[4 + (16 * origins.Count)];
        BinaryPrimitives.WriteUInt32LittleEndian(file, ReplicationStateMagic);
        for (int i = 0; i < origins.Count; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(4 + (16 * i)), origins[i].Origin);
            BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(4 + (16 * i) + 8), origins[i].RemoteLsn);
        }

        return WithCrc(file);
    }
}
