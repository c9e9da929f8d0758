using System.Globalization;
using Microsoft.Extensions.Configuration;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Configuration;

/// <summary>The agent's settings, read from <c>REDOUBT_*</c> variables or flags and checked (docs/processes.md).</summary>
public sealed class ComputeOptions
{
    public required string Name { get; init; }
    public required string Volume { get; init; }
    public required string DataDir { get; init; }
    public required string HttpListen { get; init; }
    public required VolumeShape Shape { get; init; }
    public required PgVersion PgVersion { get; init; }

    /// <summary>Copy i of every group lives in the i-th.</summary>
    public required IReadOnlyList<SegmentEndpoint> Segments { get; init; }

    /// <summary>Shared secret of the processes, or null.</summary>
    public string? Secret { get; init; }

    /// <summary>Folder with postgres and initdb.</summary>
    public required string PgBin { get; init; }

    /// <summary>Path of pgshim.so.</summary>
    public required string Shim { get; init; }

    public required int Port { get; init; }
    public required string ListenAddresses { get; init; }

    /// <summary>Whom PostgreSQL runs as when the agent is root.</summary>
    public required string OsUser { get; init; }

    public string? ParametersFile { get; init; }
    public string? HbaFile { get; init; }
    public string? SuperuserPasswordFile { get; init; }
    public string? AppDatabase { get; init; }
    public string? AppUser { get; init; }
    public string? AppPasswordFile { get; init; }

    /// <summary>Memory for prefetched pages, MiB.</summary>
    public required int CacheSizeMb { get; init; }

    /// <summary>Memory for log that some segment has not acknowledged, MiB.</summary>
    public required int LogWindowMb { get; init; }

    /// <summary>How long a page request waits while no segment can serve it, ms.</summary>
    public required int PageTimeoutMs { get; init; }

    /// <summary>How long a clean stop may take, ms.</summary>
    public required int StopTimeoutMs { get; init; }

    /// <summary>How long a primary may be believed after storage has confirmed its epoch, ms.</summary>
    public required int LeaseMs { get; init; }

    /// <summary>Shipments on the way to the quorum before further log is gathered into the next one.</summary>
    public required int ShipmentsInFlight { get; init; }

    /// <summary>PostgreSQL's data directory, rebuilt at every start.</summary>
    public string PgData => Path.Combine(DataDir, "pgdata");

    /// <summary>Reads and checks everything.</summary>
    /// <exception cref="ConfigurationException">A value is missing or wrong.</exception>
    public static ComputeOptions From(IConfiguration configuration)
    {
        var s = new SettingReader(configuration);
        int copies = s.Integer("COPIES", 1, 64);
        var shape = new VolumeShape(
            copies,
            s.Integer("WRITE_QUORUM", 1, copies, DefaultShape(copies)?.WriteQuorum),
            s.Integer("READ_QUORUM", 1, copies, DefaultShape(copies)?.ReadQuorum),
            s.Integer("GROUPS", 1, GroupRouter.MaxGroups, 1));
        try
        {
            shape.Validate();
        }
        catch (ArgumentException e)
        {
            throw new ConfigurationException($"REDOUBT_COPIES, REDOUBT_WRITE_QUORUM and REDOUBT_READ_QUORUM do not fit together: {e.Message}");
        }

        string volume = s.Text("VOLUME");
        if (!Guid.TryParse(volume, out _))
        {
            throw new ConfigurationException($"REDOUBT_VOLUME must be a UUID, not '{volume}'.");
        }

        string pgBin = s.Text("PG_BIN");
        foreach (string tool in (string[])["postgres", "initdb"])
        {
            if (!File.Exists(Path.Combine(pgBin, tool)))
            {
                throw new ConfigurationException($"REDOUBT_PG_BIN is '{pgBin}', but there is no '{tool}' in that folder; name the folder that holds PostgreSQL's programs.");
            }
        }

        string shim = s.Text("SHIM");
        if (!File.Exists(shim))
        {
            throw new ConfigurationException($"REDOUBT_SHIM names '{shim}', which does not exist; build services/pgshim first.");
        }

        string http = s.Text("HTTP_LISTEN");
        if (!http.Contains(':', StringComparison.Ordinal))
        {
            throw new ConfigurationException($"REDOUBT_HTTP_LISTEN must be host:port, not '{http}'.");
        }

        return new ComputeOptions
        {
            Name = s.Text("NAME", "compute"),
            Volume = volume,
            DataDir = Path.GetFullPath(s.Text("DATA_DIR")),
            HttpListen = http,
            Shape = shape,
            PgVersion = (PgVersion)s.Integer("PG_VERSION", 17, 18),
            Segments = SegmentEndpoint.ParseAll(s.Text("SEGMENTS"), copies),
            Secret = s.SecretFile("SECRET_FILE"),
            PgBin = Path.GetFullPath(pgBin),
            Shim = Path.GetFullPath(shim),
            Port = s.Integer("PORT", 1, 65535, 5432),
            ListenAddresses = s.Text("LISTEN_ADDRESSES", "127.0.0.1"),
            OsUser = s.Text("OS_USER", "postgres"),
            ParametersFile = s.OptionalText("PARAMETERS_FILE"),
            HbaFile = s.ExistingFile("HBA_FILE"),
            SuperuserPasswordFile = s.ExistingFile("SUPERUSER_PASSWORD_FILE"),
            AppDatabase = s.OptionalText("APP_DATABASE"),
            AppUser = s.OptionalText("APP_USER"),
            AppPasswordFile = s.ExistingFile("APP_PASSWORD_FILE"),
            CacheSizeMb = s.Integer("CACHE_SIZE_MB", 0, 1 << 20, 64),
            LogWindowMb = s.Integer("LOG_WINDOW_MB", 4, 1 << 16, 64),
            PageTimeoutMs = s.Integer("PAGE_TIMEOUT_MS", 100, 3_600_000, 60_000),
            StopTimeoutMs = s.Integer("STOP_TIMEOUT_MS", 100, 3_600_000, 25_000),
            LeaseMs = s.Integer("LEASE_MS", 3_000, 600_000, 10_000),
            ShipmentsInFlight = s.Integer("SHIPMENTS_IN_FLIGHT", 1, 1024, 2),
        };
    }

    private static VolumeShape? DefaultShape(int copies) => copies is 1 or 3 or 6 ? VolumeShape.ForCopies(copies) : null;

    private sealed class SettingReader(IConfiguration configuration)
    {
        public string? OptionalText(string key) => string.IsNullOrWhiteSpace(configuration[key]) ? null : configuration[key]!.Trim();

        public string Text(string key, string? fallback = null) => OptionalText(key) ?? fallback
            ?? throw new ConfigurationException($"REDOUBT_{key} is not set; see docs/processes.md for what it means.");

        public int Integer(string key, int least, int most, int? fallback = null)
        {
            string? text = OptionalText(key);
            if (text is null)
            {
                return fallback ?? throw new ConfigurationException($"REDOUBT_{key} is not set; give a number from {least} to {most}.");
            }

            return int.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out int value) && value >= least && value <= most
                ? value
                : throw new ConfigurationException($"REDOUBT_{key} must be a number from {least} to {most}, not '{text}'.");
        }

        public string? ExistingFile(string key)
        {
            string? path = OptionalText(key);
            return path is null || File.Exists(path)
                ? path
                : throw new ConfigurationException($"REDOUBT_{key} names '{path}', which does not exist.");
        }

        public string? SecretFile(string key)
        {
            string? path = OptionalText(key);
            return path is null ? null : Protocol.SecretFile.TryRead(path, out string problem) ?? throw new ConfigurationException($"REDOUBT_{key}: {problem}");
        }
    }
}
