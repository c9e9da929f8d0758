using System.Diagnostics;
using System.Globalization;
using Npgsql;
using Redoubt.Wal;

namespace Redoubt.Verify;

/// <summary>
/// A stock PostgreSQL server in a folder of its own: initdb, start, stop, psql. It listens on a unix socket in that folder, and on 127.0.0.1 when it
/// has a TCP port; it runs as an ordinary user when this process is root (PostgreSQL refuses root). Not thread-safe.
/// </summary>
public sealed partial class StockPostgres : IAsyncDisposable
{
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan StopDeadline = TimeSpan.FromSeconds(300);

    private readonly OsUser? _user;
    private Process? _process;

    /// <param name="version">The major version of the binaries.</param>
    /// <param name="binFolder">Folder with <c>postgres</c> and <c>initdb</c>.</param>
    /// <param name="folder">Where <c>data</c>, the socket and the server's log go; created when missing. At most 80 characters:
    /// a unix socket's path is short.</param>
    public StockPostgres(PgVersion version, string binFolder, string folder)
    {
        Version = version;
        BinFolder = binFolder;
        Folder = folder;
        _user = OsUser.ForPostgres();
        Directory.CreateDirectory(folder);
        _user?.Own(folder);
    }

    public PgVersion Version { get; }

    /// <summary>Folder with <c>postgres</c> and <c>initdb</c>.</summary>
    public string BinFolder { get; }

    public string Folder { get; }

    /// <summary>PostgreSQL's data directory.</summary>
    public string DataFolder => Path.Combine(Folder, "data");

    /// <summary>Where the server's loadable modules are (<c>pkglibdir</c>).</summary>
    public string LibraryFolder
    {
        get
        {
            string library = Path.GetFullPath(Path.Combine(BinFolder, "..", "lib"));
            string own = Path.Combine(library, "postgresql");
            return Directory.Exists(own) ? own : library;
        }
    }

    /// <summary>What the server wrote to stderr since the folder was made.</summary>
    public string LogFile => Path.Combine(Folder, "server.log");

    /// <summary>Process id of the postmaster, 0 when it does not run.</summary>
    public int ProcessId => _process is { HasExited: false } process ? process.Id : 0;

    /// <summary>Port on 127.0.0.1; 0: none, clients use the socket.</summary>
    public int TcpPort { get; init; }

    /// <summary>Host that clients name: an address, or the socket's folder.</summary>
    public string Host => TcpPort == 0 ? Folder : "127.0.0.1";

    /// <summary>Port that clients name; part of the socket's name too.</summary>
    public int Port => TcpPort == 0 ? 5432 : TcpPort;

    /// <summary>What connections made here call themselves.</summary>
    public const string ApplicationName = "redoubt_verify";

    /// <summary>Npgsql's connection string as superuser, without pooling.</summary>
    public string ConnectionString(string database = "postgres") => new NpgsqlConnectionStringBuilder
    {
        Host = Host,
        Port = Port,
        Username = "postgres",
        Database = database,
        Pooling = false,
        CommandTimeout = 0,
        Options = "-c event_triggers=off",
        ApplicationName = ApplicationName,
        Timeout = 30,
    }.ConnectionString;

    /// <summary>Runs initdb: superuser <c>postgres</c>, UTF-8, C locale, trust, data checksums as asked.</summary>
    /// <exception cref="StockPostgresException">initdb failed.</exception>
    public async Task InitDbAsync(bool checksums, CancellationToken cancel)
    {
        List<string> arguments =
        [
            "-D", DataFolder, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions",
        ];
        if (checksums)
        {
            arguments.Add("-k");
        }
        else if (Version >= PgVersion.Pg18)
        {
            arguments.Add("--no-data-checksums");
        }

        var (status, errors) = await RunAsync(Start("initdb", arguments), cancel).ConfigureAwait(false);
        if (status != 0)
        {
            throw new StockPostgresException($"initdb of PostgreSQL {(int)Version} failed with status {status}: {LastLine(errors)}");
        }
    }

    /// <summary>Starts the server with these settings (on top of postgresql.conf) and waits until it accepts connections, or, when
    /// <paramref name="waitForConnections"/> is false, only until the process exists.</summary>
    /// <exception cref="StockPostgresException">The server stopped or did not become ready in time.</exception>
    public async Task StartAsync(IReadOnlyDictionary<string, string> settings, CancellationToken cancel, bool waitForConnections = true)
    {
        List<string> arguments =
        [
            "-D", DataFolder, "-k", Folder, "-p", Port.ToString(CultureInfo.InvariantCulture),
            "-c", TcpPort == 0 ? "listen_addresses=" : "listen_addresses=127.0.0.1", "-c", "logging_collector=off", "-c", "log_destination=stderr",
        ];
        foreach (var (name, value) in settings)
        {
            arguments.AddRange(["-c", $"{name}={value}"]);
        }

        var start = Start("postgres", arguments);
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        var process = Process.Start(start) ?? throw new StockPostgresException("postgres could not be started.");
        var log = new StreamWriter(LogFile, append: true) { AutoFlush = true };
        process.OutputDataReceived += (_, line) => Write(log, line.Data);
        process.ErrorDataReceived += (_, line) => Write(log, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _process = process;
        if (waitForConnections)
        {
            await WaitUntilReadyAsync(process, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Stops the server and waits for its end: <c>fast</c> writes a shutdown checkpoint, otherwise it stops as in a crash.</summary>
    /// <exception cref="StockPostgresException">It did not stop in time (it is then killed).</exception>
    public async Task StopAsync(bool fast, CancellationToken cancel)
    {
        if (_process is not { } process)
        {
            return;
        }

        if (!process.HasExited)
        {
            const int interrupt = 2, quit = 3;
            _ = Signal(process.Id, fast ? interrupt : quit);
        }

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(StopDeadline);
        try
        {
            await process.WaitForExitAsync(deadline.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            process.Kill(entireProcessTree: true);
            throw new StockPostgresException($"PostgreSQL did not stop within {StopDeadline.TotalSeconds} s; see {LogFile}.");
        }
        finally
        {
            if (process.HasExited)
            {
                process.Dispose();
                _process = null;
            }
        }
    }

    /// <summary>Waits until the server process ends by itself.</summary>
    public Task WaitForExitAsync(CancellationToken cancel) => _process?.WaitForExitAsync(cancel) ?? Task.CompletedTask;

    /// <summary>Asks the server to read its configuration again (<c>SIGHUP</c>).</summary>
    public void Reload()
    {
        const int hangup = 1;
        if (ProcessId is var id and not 0)
        {
            _ = Signal(id, hangup);
        }
    }

    /// <summary>Runs one statement in a session of its own.</summary>
    public async Task ExecuteAsync(string sql, CancellationToken cancel, string database = "postgres")
    {
        var connection = new NpgsqlConnection(ConnectionString(database));
        await using (connection.ConfigureAwait(false))
        {
            await connection.OpenAsync(cancel).ConfigureAwait(false);
            var command = new NpgsqlCommand(sql, connection);
            await using (command.ConfigureAwait(false))
            {
                await command.ExecuteNonQueryAsync(cancel).ConfigureAwait(false);
            }
        }
    }

    /// <summary>The first column of the first row as text, in a session of its own; null when there is none.</summary>
    public async Task<string?> ScalarAsync(string sql, CancellationToken cancel, string database = "postgres")
    {
        var connection = new NpgsqlConnection(ConnectionString(database));
        await using (connection.ConfigureAwait(false))
        {
            await connection.OpenAsync(cancel).ConfigureAwait(false);
            var command = new NpgsqlCommand(sql, connection);
            await using (command.ConfigureAwait(false))
            {
                return Convert.ToString(await command.ExecuteScalarAsync(cancel).ConfigureAwait(false), CultureInfo.InvariantCulture);
            }
        }
    }

    /// <summary>Makes a folder under <see cref="Folder"/> that the server's user may write.</summary>
    public string MakeFolder(string name)
    {
        string path = Path.Combine(Folder, name);
        Directory.CreateDirectory(path);
        _user?.Own(path);
        return path;
    }

    /// <summary>Copies a stopped server's data directory to be this server's own.</summary>
    public void CopyDataFrom(string dataFolder)
    {
        DataFolders.Copy(dataFolder, DataFolder);
        _user?.OwnTree(DataFolder);
    }

    /// <summary>Gives everything below the data directory to the server's user (after files were written into it from here).</summary>
    public void OwnData() => _user?.OwnTree(DataFolder);

    public async ValueTask DisposeAsync()
    {
        if (ProcessId != 0)
        {
            await StopAsync(fast: false, CancellationToken.None).ConfigureAwait(false);
        }
    }

    /// <summary>Waits until the server accepts connections again after one was lost.</summary>
    /// <exception cref="StockPostgresException">It does not run, or did not become ready in time.</exception>
    public async Task WaitUntilReadyAsync(CancellationToken cancel)
    {
        var process = _process ?? throw new StockPostgresException("PostgreSQL does not run.");
        await WaitUntilReadyAsync(process, cancel).ConfigureAwait(false);

        // The postmaster may have let that one in before it knew of the crash.
        await Task.Delay(TimeSpan.FromMilliseconds(200), cancel).ConfigureAwait(false);
        await WaitUntilReadyAsync(process, cancel).ConfigureAwait(false);
    }

    private async Task WaitUntilReadyAsync(Process process, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < StartDeadline)
        {
            if (process.HasExited)
            {
                throw new StockPostgresException($"PostgreSQL stopped while starting: {LastLine(await File.ReadAllTextAsync(LogFile, cancel).ConfigureAwait(false))}");
            }

            try
            {
                var connection = new NpgsqlConnection(ConnectionString());
                await using (connection.ConfigureAwait(false))
                {
                    await connection.OpenAsync(cancel).ConfigureAwait(false);
                    return;
                }
            }
            catch (NpgsqlException)
            {
                await Task.Delay(30, cancel).ConfigureAwait(false);
            }
        }

        throw new StockPostgresException($"PostgreSQL was not ready within {StartDeadline.TotalSeconds} s; see {LogFile}.");
    }

    private ProcessStartInfo Start(string program, IEnumerable<string> arguments)
    {
        string path = Path.Combine(BinFolder, program);
        if (!File.Exists(path))
        {
            throw new StockPostgresException($"{path} does not exist: set REDOUBT_PG_BIN to the folder that holds postgres and initdb.");
        }

        var start = _user?.Command(path) ?? new ProcessStartInfo(path);
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.WorkingDirectory = Folder;
        start.Environment["LC_ALL"] = "C";
        start.Environment["TZ"] = "UTC";
        return start;
    }

    private static void Write(StreamWriter log, string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (log)
        {
            log.WriteLine(line);
        }
    }

    private static string LastLine(string text) => text.TrimEnd().Split('\n')[^1].Trim();

    private static int Signal(int processId, int signal) => OsUser.Kill(processId, signal);
}
