using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Redoubt.Compute.Configuration;
using Redoubt.Compute.Runtime;

namespace Redoubt.Compute.Postgres;

/// <summary>The files around a data directory: configuration, the folder of sockets, the shim's lock table.</summary>
public sealed class ServerFiles
{
    /// <summary>Slots of the shim's lock table (64 bytes each).</summary>
    private const int LockSlots = 4096;

    /// <summary>A unix socket's path may have 107 bytes; the longest name in the folder is <c>.s.PGSQL.65535.lock</c>.</summary>
    private const int LongestSocketFolder = 80;

    private const string SharedMemory = "/dev/shm";
    private const string Prefix = "redoubt-";
    private const string InUse = "in-use";

    private readonly ComputeOptions _options;
    private readonly OsAccount _account;
    private FileStream? _inUse;

    public ServerFiles(ComputeOptions options, OsAccount account)
    {
        _options = options;
        _account = account;
        string beside = Path.Combine(options.DataDir, "run");
        string own = Prefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(options.DataDir)))[..16];
        SocketFolder = Encoding.UTF8.GetByteCount(beside) <= LongestSocketFolder ? beside : Path.Combine(Path.GetTempPath(), own);
        MemoryFolder = Directory.Exists(SharedMemory) ? Path.Combine(SharedMemory, own) : Path.Combine(options.DataDir, "memory");
    }

    /// <summary>Folder of PostgreSQL's own socket and the page server's.</summary>
    public string SocketFolder { get; }

    /// <summary>The page server's socket.</summary>
    public string PageSocket => Path.Combine(SocketFolder, "pages.sock");

    /// <summary>True when the postmaster says in its lock file that it accepts connections (line 8, <c>PM_STATUS_READY</c>, utils/pidfile.h).</summary>
    public bool SaysReady
    {
        get
        {
            try
            {
                return File.ReadAllText(Path.Combine(_options.PgData, "postmaster.pid")).Contains("\nready", StringComparison.Ordinal);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return false;
            }
        }
    }

    /// <summary>Folder of the files that are memory shared with the shim: not on a disk, whose journal would make writers of the log wait, and which may be full.</summary>
    private string MemoryFolder { get; }

    /// <summary>The shim's lock table.</summary>
    public string Locks => Path.Combine(MemoryFolder, "pgshim.locks");

    /// <summary>The page in which PostgreSQL and the agent tell each other of the log.</summary>
    public string LogPage => Path.Combine(MemoryFolder, "pgshim.log");

    /// <summary>What the shim reads at start.</summary>
    public IReadOnlyDictionary<string, string> Environment => new Dictionary<string, string>
    {
        ["LD_PRELOAD"] = _options.Shim,
        ["REDOUBT_SHIM_SOCKET"] = PageSocket,
        ["REDOUBT_SHIM_LOCKS"] = Locks,
        ["REDOUBT_SHIM_LOG"] = LogPage,
        ["REDOUBT_SHIM_TIMEOUT_MS"] = (_options.PageTimeoutMs + 5_000).ToString(CultureInfo.InvariantCulture),
    };

    /// <summary>Makes the folder of sockets and the shared memory, without what an earlier run left in them.</summary>
    /// <exception cref="IOException">There is no room.</exception>
    public void Prepare()
    {
        Directory.CreateDirectory(_options.DataDir);
        Remake(SocketFolder);
        RemoveAbandonedMemory();
        Remake(MemoryFolder);
        _inUse = new FileStream(Path.Combine(MemoryFolder, InUse), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        NativeFile.CreateZeroed(Locks, LockSlots * 64, _account);
        NativeFile.CreateZeroed(LogPage, Shipping.LogPage.Length, _account);
    }

    /// <summary>Takes the shared memory away; PostgreSQL is dead.</summary>
    public void RemoveMemory()
    {
        _inUse?.Dispose();
        if (Directory.Exists(MemoryFolder))
        {
            Directory.Delete(MemoryFolder, recursive: true);
        }
    }

    /// <summary>An agent that was killed leaves its memory, and its data directory may never be used again. Who lives holds a lock in it.</summary>
    private void RemoveAbandonedMemory()
    {
        foreach (string folder in Directory.EnumerateDirectories(Path.GetDirectoryName(MemoryFolder)!, Prefix + "*"))
        {
            try
            {
                using (new FileStream(Path.Combine(folder, InUse), FileMode.Open, FileAccess.ReadWrite, FileShare.None))
                {
                    Directory.Delete(folder, recursive: true);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // In use, just being made, or somebody else's.
            }
        }
    }

    private void Remake(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        NativeFile.ChangeOwner(folder, _account);
    }

    /// <summary>Writes postgresql.conf, pg_hba.conf and pg_ident.conf.</summary>
    /// <param name="directory">Where.</param>
    /// <param name="settings">What is in force.</param>
    /// <param name="isOpen">False: only the agent gets in, over the socket in a folder that nobody else may enter.</param>
    public void WriteConfiguration(DataDirectory directory, ServerSettings settings, bool isOpen)
    {
        (string, string)[] agent =
        [
            ("port", _options.Port.ToString(CultureInfo.InvariantCulture)),
            ("listen_addresses", _options.ListenAddresses),
            ("unix_socket_directories", SocketFolder),
        ];
        directory.WriteFile("postgresql.conf", Encoding.UTF8.GetBytes(Parameters.Render(_options.PgVersion, settings.InForce, agent)));
        const string own = "local all all trust\n";
        directory.WriteFile("pg_hba.conf", Encoding.UTF8.GetBytes(isOpen ? own + settings.Hba : own));
        directory.WriteFile("pg_ident.conf", []);
    }
}
