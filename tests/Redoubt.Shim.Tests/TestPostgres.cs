using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Npgsql;
using Redoubt.Cli.Toolchain;

namespace Redoubt.Shim.Tests;

/// <summary>A stock PostgreSQL in a folder of its own, started with or without the shim.</summary>
internal sealed partial class TestPostgres : IAsyncDisposable
{
    private readonly string _bin;
    private readonly string? _user = OsUser.ForPostgres;
    private readonly StringWriter _log = new();
    private Process? _process;

    private TestPostgres(string bin, string folder)
    {
        _bin = bin;
        Folder = folder;
    }

    public string Folder { get; }

    public string Data => Path.Combine(Folder, "data");

    public int Port { get; private set; }

    public string Log
    {
        get
        {
            lock (_log)
            {
                return _log.ToString();
            }
        }
    }

    public string ConnectionString(string database = "postgres") =>
        $"Host=127.0.0.1;Port={Port};Username=postgres;Database={database};Pooling=false;Timeout=10;Command Timeout=120";

    public static async Task<TestPostgres> InitializeAsync(int major)
    {
        string bin = await PostgresBinaries.EnsureAsync(major);
        string folder = Directory.CreateTempSubdirectory("redoubt-shim-").FullName;
        var postgres = new TestPostgres(bin, folder);
        await postgres.AsUserAsync("chown");
        string[] command =
        [
            .. OsUser.Prefix(postgres._user), Path.Combine(bin, "initdb"), "-D", postgres.Data, "-U", "postgres", "--auth=trust", "--no-sync",
            "--no-instructions", .. major >= 18 ? ["--no-data-checksums"] : Array.Empty<string>(),
        ];
        var made = await Tool.RunAsync(command[0], command[1..], folder);
        Assert.True(made.ExitCode == 0, made.Error);
        return postgres;
    }

    public async Task StartAsync(IReadOnlyDictionary<string, string>? environment = null, params string[] settings)
    {
        using (var probe = new TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            Port = ((IPEndPoint)probe.LocalEndpoint).Port;
        }

        string[] command =
        [
            .. OsUser.Prefix(_user), Path.Combine(_bin, "postgres"), "-D", Data, "-p", $"{Port}", "-c", "listen_addresses=127.0.0.1", "-k", "",
            "-c", "fsync=off", "-c", "shared_buffers=24MB", "-c", "max_connections=20", "-c", "restart_after_crash=off", "-c", "max_prepared_transactions=5", .. settings.SelectMany(s => new[] { "-c", s }),
        ];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true, RedirectStandardOutput = true, WorkingDirectory = Folder };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start)!;
        var ready = new TaskCompletionSource();
        void Take(object _, DataReceivedEventArgs line)
        {
            lock (_log)
            {
                _log.WriteLine(line.Data);
            }

            if (line.Data?.Contains("database system is ready to accept connections", StringComparison.Ordinal) == true)
            {
                ready.TrySetResult();
            }
        }

        _process.ErrorDataReceived += Take;
        _process.OutputDataReceived += Take;
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        var exited = _process.WaitForExitAsync();
        if (await Task.WhenAny(ready.Task, exited, Task.Delay(TimeSpan.FromSeconds(60))) != ready.Task)
        {
            Assert.Fail($"PostgreSQL did not start:\n{Log}");
        }
    }

    /// <summary>A fast shutdown.</summary>
    public async Task StopAsync()
    {
        if (_process is { HasExited: false } process)
        {
            using var _ = Process.Start("kill", ["-INT", $"{process.Id}"]);
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        }

        _process?.Dispose();
        _process = null;
    }

    /// <summary>A copy of this stopped cluster whose relation and SLRU files have their sizes but no data.</summary>
    public async Task<TestPostgres> CopySparseAsync()
    {
        var copy = new TestPostgres(_bin, Directory.CreateTempSubdirectory("redoubt-shim-").FullName);
        var copied = await Tool.RunAsync("cp", ["-a", Data, copy.Data]);
        Assert.True(copied.ExitCode == 0, copied.Error);
        foreach (string file in Directory.EnumerateFiles(copy.Data, "*", SearchOption.AllDirectories))
        {
            if (Tracked().IsMatch(Path.GetRelativePath(copy.Data, file)))
            {
                using var handle = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite);
                long size = RandomAccess.GetLength(handle);
                RandomAccess.SetLength(handle, 0);
                RandomAccess.SetLength(handle, size);
            }
        }

        await copy.AsUserAsync("chown");
        return copy;
    }

    public async Task<object?> QueryAsync(string sql, string database = "postgres")
    {
        await using var connection = new NpgsqlConnection(ConnectionString(database));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await StopAsync();
        }

        Directory.Delete(Folder, recursive: true);
    }

    private async Task AsUserAsync(string chown)
    {
        if (_user is not null)
        {
            var owned = await Tool.RunAsync(chown, ["-R", _user, Folder]);
            Assert.True(owned.ExitCode == 0, owned.Error);
        }
    }

    [GeneratedRegex(@"^(base/\d+/|global/|pg_tblspc/\d+/PG_[^/]+/\d+/)\d+(_fsm|_vm|_init)?(\.\d+)?$|^(pg_xact|pg_multixact/(offsets|members)|pg_commit_ts)/[0-9A-F]+$")]
    private static partial Regex Tracked();
}
