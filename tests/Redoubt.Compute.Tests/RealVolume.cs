using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Npgsql;
using Redoubt.Cli.Local;
using Redoubt.Cli.Toolchain;
using Redoubt.Protocol;

namespace Redoubt.Compute.Tests;

/// <summary>Storage processes and agents of a volume, as real processes on loopback, in a folder of their own.</summary>
internal sealed class RealVolume : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private readonly VolumeShape _shape;
    private readonly int _version;
    private readonly string _folder;
    private readonly string _id = Guid.NewGuid().ToString();
    private readonly string _pgBin;
    private readonly string _shim;
    private readonly int[] _ports;
    private readonly int[] _httpPorts;
    private readonly List<Process> _storage = [];
    private readonly List<RealAgent> _agents = [];

    private RealVolume(VolumeShape shape, int version, string pgBin, string shim)
    {
        _shape = shape;
        _version = version;
        _pgBin = pgBin;
        _shim = shim;
        _folder = Directory.CreateTempSubdirectory("redoubt-compute-").FullName;
        File.SetUnixFileMode(_folder, (UnixFileMode)0b111_101_101);
        _ports = FreePorts.Take(shape.Copies);
        _httpPorts = FreePorts.Take(shape.Copies);
    }

    /// <summary>Starts the storage processes.</summary>
    public static async Task<RealVolume> StartAsync(VolumeShape shape, int version = 17)
    {
        string pgBin = await PostgresBinaries.EnsureAsync(version, cancellation: TestContext.Current.CancellationToken);
        string shim = await PgShim.EnsureAsync(TestContext.Current.CancellationToken);
        var volume = new RealVolume(shape, version, pgBin, shim);
        for (int i = 0; i < shape.Copies; i++)
        {
            volume._storage.Add(volume.Launch("Redoubt.Storage.dll", $"storage-{i}", new()
            {
                ["REDOUBT_INDEX"] = Text(i),
                ["REDOUBT_ZONE"] = "abc"[i % 3].ToString(),
                ["REDOUBT_LISTEN"] = $"127.0.0.1:{volume._ports[i]}",
                ["REDOUBT_HTTP_LISTEN"] = $"127.0.0.1:{volume._httpPorts[i]}",
            }));
        }

        return volume;
    }

    /// <summary>Starts an agent with an empty disk and waits until it is ready.</summary>
    /// <param name="name">Its name; an agent that was killed is started again under the same.</param>
    /// <param name="settings">Further variables.</param>
    /// <param name="untilReady">False: returns at once.</param>
    public async Task<RealAgent> StartAgentAsync(string name, IReadOnlyDictionary<string, string>? settings = null, bool untilReady = true)
    {
        int[] ports = FreePorts.Take(2);
        var process = Launch("Redoubt.Compute.dll", name, new(settings ?? new Dictionary<string, string>())
        {
            ["REDOUBT_HTTP_LISTEN"] = $"127.0.0.1:{ports[0]}",
            ["REDOUBT_PORT"] = Text(ports[1]),
            ["REDOUBT_PG_BIN"] = _pgBin,
            ["REDOUBT_SHIM"] = _shim,
            ["REDOUBT_OS_USER"] = OsUser.ForPostgres ?? Environment.UserName,
        });
        var agent = new RealAgent(process, Path.Combine(_folder, name), ports[0], ports[1]);
        _agents.Add(agent);
        if (untilReady)
        {
            await agent.WhenReadyAsync(Patience);
        }

        return agent;
    }

    /// <summary>Writes a file that PostgreSQL's user can read, and returns its path.</summary>
    public string WriteFile(string name, string contents)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path + ".new", contents);
        File.Move(path + ".new", path, overwrite: true);
        return path;
    }

    public Process Storage(int copy) => _storage[copy];

    public async ValueTask DisposeAsync()
    {
        foreach (var agent in _agents)
        {
            agent.Kill();
        }

        foreach (var process in _storage)
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        try
        {
            Directory.Delete(_folder, recursive: true);
        }
        catch (IOException)
        {
            // A dying server may still write; the temporary folder is the system's to clean.
        }
    }

    private Process Launch(string program, string name, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, program)])
        {
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        environment["REDOUBT_NAME"] = name;
        environment["REDOUBT_VOLUME"] = _id;
        environment["REDOUBT_DATA_DIR"] = Path.Combine(_folder, name);
        environment["REDOUBT_COPIES"] = Text(_shape.Copies);
        environment["REDOUBT_WRITE_QUORUM"] = Text(_shape.WriteQuorum);
        environment["REDOUBT_READ_QUORUM"] = Text(_shape.ReadQuorum);
        environment["REDOUBT_GROUPS"] = Text(_shape.Groups);
        environment["REDOUBT_PG_VERSION"] = Text(_version);
        environment["REDOUBT_SEGMENTS"] = string.Join(',', _ports.Select((port, i) => $"storage-{i}=http://127.0.0.1:{port}"));
        foreach (var (key, value) in environment)
        {
            start.Environment[key] = value;
        }

        var process = Process.Start(start)!;
        var log = new StreamWriter(new FileStream(Path.Combine(_folder, name + ".log"), FileMode.Append, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true };
        process.ErrorDataReceived += (_, line) =>
        {
            lock (log)
            {
                log.WriteLine(line.Data);
            }
        };
        process.BeginErrorReadLine();
        return process;
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
