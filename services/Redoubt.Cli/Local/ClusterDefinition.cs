using System.Security.Cryptography;
using Redoubt.Cli.Toolchain;

namespace Redoubt.Cli.Local;

/// <summary>The processes of a local cluster and their environment, as docs/processes.md defines it.</summary>
internal static class ClusterDefinition
{
    private static readonly string[] Zones = ["a", "b", "c"];

    /// <summary>Everything that must exist before processes start, and how each is started.</summary>
    /// <param name="spec">What the cluster is.</param>
    /// <param name="paths">Where it is.</param>
    /// <param name="pgBin">Folder with postgres and initdb.</param>
    /// <param name="shim">pgshim.so.</param>
    /// <param name="port">Where PostgreSQL listens.</param>
    public static IReadOnlyList<ManagedProcess.Definition> Build(ClusterSpec spec, ClusterPaths paths, string pgBin, string shim, int port)
    {
        WriteFiles(spec, paths);
        int[] ports = FreePorts.Take((2 * spec.Copies) + 1);
        string[] endpoints = [.. Enumerable.Range(0, spec.Copies).Select(i => $"127.0.0.1:{ports[2 * i]}")];
        var common = new Dictionary<string, string>
        {
            ["REDOUBT_VOLUME"] = spec.Volume.ToString(),
            ["REDOUBT_COPIES"] = $"{spec.Copies}",
            ["REDOUBT_WRITE_QUORUM"] = $"{spec.WriteQuorum}",
            ["REDOUBT_READ_QUORUM"] = $"{spec.ReadQuorum}",
            ["REDOUBT_GROUPS"] = $"{spec.Groups}",
            ["REDOUBT_PG_VERSION"] = $"{spec.Postgres}",
            ["REDOUBT_SEGMENTS"] = string.Join(',', endpoints.Select((endpoint, i) => $"storage-{i}=http://{endpoint}")),
            ["REDOUBT_SECRET_FILE"] = paths.Secret,
            ["DOTNET_TieredPGO"] = "0",

            // Hexadecimal: methods called a thousand times are compiled again, better, once nothing new was compiled for 2 s, and not in the middle of the
            // start. Thirty times, the framework's own measure, is for one process, not for seven on a small machine.
            ["DOTNET_TC_CallCountingDelayMs"] = "7D0",
            ["DOTNET_TC_CallCountThreshold"] = "400",

            // Hexadecimal: 16 MiB of garbage at most before a collection (the size of the processor's cache decides otherwise, up to 200 MiB), and
            // two arenas for RocksDB's threads instead of eight a processor, which keep what they freed.
            ["DOTNET_GCgen0MaxBudget"] = "1000000",
            ["MALLOC_ARENA_MAX"] = "2",
        };
        var all = new List<ManagedProcess.Definition>();
        for (int i = 0; i < spec.Copies; i++)
        {
            string name = $"storage-{i}", zone = Zones[i % Zones.Length], http = $"127.0.0.1:{ports[(2 * i) + 1]}";
            all.Add(new ManagedProcess.Definition(
                name, "storage", zone, paths.Process(name), http, $"http://{endpoints[i]}", RepositoryLayout.DotnetHost, [RepositoryLayout.ServiceDll("Redoubt.Storage")],
                new Dictionary<string, string>(common)
                {
                    ["REDOUBT_NAME"] = name,
                    ["REDOUBT_DATA_DIR"] = paths.Process(name),
                    ["REDOUBT_HTTP_LISTEN"] = http,
                    ["REDOUBT_INDEX"] = $"{i}",
                    ["REDOUBT_ZONE"] = zone,
                    ["REDOUBT_LISTEN"] = endpoints[i],
                    ["REDOUBT_DRILLS"] = "1",
                }));
        }

        string computeHttp = $"127.0.0.1:{ports[^1]}";
        all.Add(new ManagedProcess.Definition(
            "compute", "primary", null, paths.Process("compute"), computeHttp, null, RepositoryLayout.DotnetHost, [RepositoryLayout.ServiceDll("Redoubt.Compute")],
            new Dictionary<string, string>(common)
            {
                ["REDOUBT_NAME"] = "compute",
                ["REDOUBT_DATA_DIR"] = paths.Process("compute"),
                ["REDOUBT_HTTP_LISTEN"] = computeHttp,
                ["REDOUBT_PG_BIN"] = pgBin,
                ["REDOUBT_SHIM"] = shim,
                ["REDOUBT_PORT"] = $"{port}",
                ["REDOUBT_LISTEN_ADDRESSES"] = "127.0.0.1",
                ["REDOUBT_OS_USER"] = OsUser.ForPostgres ?? "",
                ["REDOUBT_PARAMETERS_FILE"] = paths.Parameters,
                ["REDOUBT_APP_DATABASE"] = spec.AppDatabase ?? "",
                ["REDOUBT_APP_USER"] = spec.AppUser ?? "",
                ["REDOUBT_DRILLS"] = "1",
            }));
        return all;
    }

    private static void WriteFiles(ClusterSpec spec, ClusterPaths paths)
    {
        Directory.CreateDirectory(paths.Logs);
        if (!File.Exists(paths.Secret))
        {
            using var secret = new FileStream(
                paths.Secret, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
            secret.Write(System.Text.Encoding.ASCII.GetBytes(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))));
        }

        WriteParameters(paths, spec.Parameters);
    }

    /// <summary>Writes the parameters file, whole or not at all: the agent reads it at its start and whenever it changes.</summary>
    /// <returns>Its SHA-256 in hexadecimal digits, by which the agent's status says that it has read it.</returns>
    public static string WriteParameters(ClusterPaths paths, IReadOnlyDictionary<string, string> parameters)
    {
        string text = string.Concat(parameters.Select(p => $"{p.Key} = '{p.Value.Replace("'", "''", StringComparison.Ordinal)}'\n"));
        string temporary = paths.Parameters + ".new";
        File.WriteAllText(temporary, text);
        File.Move(temporary, paths.Parameters, overwrite: true);
        return Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text)));
    }
}
