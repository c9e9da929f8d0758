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

    private readonly ComputeOptions _options;
    private readonly OsAccount _account;
    private readonly ILogger _logger;

    public ServerFiles(ComputeOptions options, OsAccount account, ILogger logger)
    {
        _options = options;
        _account = account;
        _logger = logger;
        string beside = Path.Combine(options.DataDir, "run");
        SocketFolder = Encoding.UTF8.GetByteCount(beside) <= LongestSocketFolder
            ? beside
            : Path.Combine(Path.GetTempPath(), "redoubt-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(options.DataDir)))[..16]);
    }

    /// <summary>Folder of PostgreSQL's own socket and the page server's.</summary>
    public string SocketFolder { get; }

    /// <summary>The page server's socket.</summary>
    public string PageSocket => Path.Combine(SocketFolder, "pages.sock");

    /// <summary>PostgreSQL's socket.</summary>
    public string PostgresSocket => Path.Combine(SocketFolder, string.Create(CultureInfo.InvariantCulture, $".s.PGSQL.{_options.Port}"));

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

    /// <summary>The shim's lock table.</summary>
    public string Locks => Path.Combine(_options.DataDir, "pgshim.locks");

    /// <summary>For Npgsql, over the local socket. It need not read the catalogue of types, which would fetch half of it from storage at every start.</summary>
    public string ConnectionString => string.Create(
        CultureInfo.InvariantCulture, $"Host={SocketFolder};Port={_options.Port};Username=postgres;Database=postgres;Pooling=false;Timeout=300;Command Timeout=0;"
        + $"Server Compatibility Mode=NoTypeLoading");

    /// <summary>What the shim reads at start.</summary>
    public IReadOnlyDictionary<string, string> Environment => new Dictionary<string, string>
    {
        ["LD_PRELOAD"] = _options.Shim,
        ["REDOUBT_SHIM_SOCKET"] = PageSocket,
        ["REDOUBT_SHIM_LOCKS"] = Locks,
        ["REDOUBT_SHIM_TIMEOUT_MS"] = (_options.PageTimeoutMs + 5_000).ToString(CultureInfo.InvariantCulture),
    };

    /// <summary>Makes the folder of sockets, without what an earlier run left in it, and a fresh lock table.</summary>
    public void Prepare()
    {
        Directory.CreateDirectory(_options.DataDir);
        if (Directory.Exists(SocketFolder))
        {
            Directory.Delete(SocketFolder, recursive: true);
        }

        Directory.CreateDirectory(SocketFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        NativeFile.ChangeOwner(SocketFolder, _account);
        File.Delete(Locks);
        NativeFile.CreateSparse(Locks, LockSlots * 64, _account);
    }

    /// <summary>Writes postgresql.conf, pg_hba.conf and pg_ident.conf.</summary>
    /// <exception cref="ConfigurationException">The parameters file is not readable as such.</exception>
    public void WriteConfiguration(DataDirectory directory)
    {
        (string, string)[] agent =
        [
            ("port", _options.Port.ToString(CultureInfo.InvariantCulture)),
            ("listen_addresses", _options.ListenAddresses),
            ("unix_socket_directories", SocketFolder),
        ];
        string conf = Parameters.Render(_options.PgVersion, Parameters.Parse(_options.ParametersFile), agent, _logger.ParameterRefused);
        directory.WriteFile("postgresql.conf", Encoding.UTF8.GetBytes(conf));
        const string own = "local all postgres trust\nlocal replication postgres trust\n";
        string hba = _options.HbaFile is { } file
            ? File.ReadAllText(file)
            : "local all all trust\nhost all all 127.0.0.1/32 trust\nhost all all ::1/128 trust\n";
        directory.WriteFile("pg_hba.conf", Encoding.UTF8.GetBytes(own + hba));
        directory.WriteFile("pg_ident.conf", []);
    }
}
