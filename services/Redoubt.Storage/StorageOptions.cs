using System.Globalization;
using System.Net;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Storage;

/// <summary>Configuration of a storage process, checked. See docs/processes.md.</summary>
public sealed record StorageOptions
{
    public required string Name { get; init; }

    /// <summary>Volume id.</summary>
    public required string Volume { get; init; }

    public required string DataDir { get; init; }

    /// <summary>Which copy this process holds, from 0.</summary>
    public required int Index { get; init; }

    public string Zone { get; init; } = "";

    /// <summary>gRPC, HTTP/2 without TLS.</summary>
    public required IPEndPoint Listen { get; init; }

    /// <summary>Metrics and status.</summary>
    public required IPEndPoint HttpListen { get; init; }

    public required VolumeShape Shape { get; init; }

    public required PgVersion PgVersion { get; init; }

    /// <summary>Endpoints of all copies in index order; this process's own among them.</summary>
    public required IReadOnlyList<Uri> Segments { get; init; }

    /// <summary>Shared secret of the processes; empty: none.</summary>
    public string Secret { get; init; } = "";

    /// <summary>Log that is kept after it is applied and stored, for peers that are behind (bytes, per segment).</summary>
    public long LogRetentionBytes { get; init; } = 1L << 30;

    /// <summary>Bytes of one log file.</summary>
    public int LogFileBytes { get; init; } = 16 << 20;

    /// <summary>The smallest log file that can be configured: the longest frame fits it, so that no frame needs a file of its own.</summary>
    public const int MinLogFileBytes = 1 << 20;

    /// <summary>Chains of changes longer than this are turned into images.</summary>
    public int CoalesceAfter { get; init; } = 512;

    /// <summary>Block cache of all page stores of the process (bytes).</summary>
    public long BlockCacheBytes { get; init; } = 48L << 20;

    /// <summary>Rate of the background scrub (bytes per second).</summary>
    public long ScrubBytesPerSecond { get; init; } = 4L << 20;

    /// <summary>How much of the newest log a start reads; older files have an index (bytes).</summary>
    public long StartReadBytes { get; init; } = 64L << 20;

    /// <summary>Rate at which free space of heap pages is found out in the background (pages per second); 0: only when it is asked for.</summary>
    public int FreeSpacePagesPerSecond { get; init; } = 100;

    /// <summary>From the end of one such round over what has changed to the next: a page that changes all the time is looked at once a round.</summary>
    public TimeSpan FreeSpaceEvery { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Rate of a bulk rebuild (bytes per second); 0: as fast as it goes.</summary>
    public long RebuildBytesPerSecond { get; init; } = 128L << 20;

    /// <summary>Pause between two looks at a peer when nothing is known to be missing.</summary>
    public TimeSpan GossipEvery { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Connections that have said who they are: raw streams and gRPC together.</summary>
    public int MaxConnections { get; init; } = 4096;

    /// <summary>Connections that have not said who they are, of either kind; a new one takes the place of the oldest.</summary>
    public int MaxUnauthenticated { get; init; } = 256;

    /// <summary>A connection says who it is within this time.</summary>
    public TimeSpan HelloTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A log stream that carries nothing for so long, not even a heartbeat, has lost its writer.</summary>
    public TimeSpan LogSilence { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Fault injection over HTTP.</summary>
    public bool Drills { get; init; }

    public bool JsonLogs { get; init; }

    /// <summary>OTLP collector; null: no traces.</summary>
    public Uri? OtlpEndpoint { get; init; }

    /// <summary>Reads environment variables and <c>--kebab-case</c> flags, which win.</summary>
    /// <exception cref="ConfigurationException">A value is missing or wrong; the message is one sentence for people.</exception>
    public static StorageOptions Read(string[] args, Func<string, string?> environment)
    {
        var flags = ParseFlags(args);
        string? Optional(string key) =>
            flags.TryGetValue(key, out string? flag) ? flag : environment(key) is { Length: > 0 } value ? value : null;
        string Required(string key) => Optional(key) ?? throw new ConfigurationException($"{key} is not set; see docs/processes.md.");
        int Number(string key, int? fallback, int min, int max)
        {
            string? text = Optional(key);
            if (text is null && fallback is { } value)
            {
                return value;
            }

            text ??= Required(key);
            return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n >= min && n <= max
                ? n
                : throw new ConfigurationException($"{key} is '{text}'; it must be a number from {min} to {max}.");
        }

        int copies = Number("REDOUBT_COPIES", 6, 1, 6);
        int groups = Number("REDOUBT_GROUPS", 1, 1, GroupRouter.MaxGroups);
        VolumeShape shape;
        try
        {
            var usual = VolumeShape.ForCopies(copies, groups);
            shape = (usual with
            {
                WriteQuorum = Number("REDOUBT_WRITE_QUORUM", usual.WriteQuorum, 1, copies),
                ReadQuorum = Number("REDOUBT_READ_QUORUM", usual.ReadQuorum, 1, copies),
            }).Validate();
        }
        catch (ArgumentException e)
        {
            throw new ConfigurationException("REDOUBT_COPIES and the quorums: " + e.Message);
        }

        int version = Number("REDOUBT_PG_VERSION", 17, 17, 18);
        var segments = ParseSegments(Required("REDOUBT_SEGMENTS"));
        if (segments.Count != copies)
        {
            throw new ConfigurationException($"REDOUBT_SEGMENTS names {segments.Count} processes, but REDOUBT_COPIES is {copies}.");
        }

        return new StorageOptions
        {
            Name = Required("REDOUBT_NAME"),
            Volume = Guid.TryParse(Required("REDOUBT_VOLUME"), out var volume)
                ? volume.ToString("D")
                : throw new ConfigurationException($"REDOUBT_VOLUME is '{Required("REDOUBT_VOLUME")}'; it must be a UUID."),
            DataDir = Path.GetFullPath(Required("REDOUBT_DATA_DIR")),
            Index = Number("REDOUBT_INDEX", null, 0, copies - 1),
            Zone = Optional("REDOUBT_ZONE") ?? "",
            Listen = ParseEndpoint("REDOUBT_LISTEN", Required("REDOUBT_LISTEN")),
            HttpListen = ParseEndpoint("REDOUBT_HTTP_LISTEN", Required("REDOUBT_HTTP_LISTEN")),
            Shape = shape,
            PgVersion = (PgVersion)version,
            Segments = segments,
            Secret = ReadSecret(Optional("REDOUBT_SECRET_FILE")),
            LogRetentionBytes = (long)Number("REDOUBT_LOG_RETENTION_MB", 1024, 0, int.MaxValue) << 20,
            LogFileBytes = Number("REDOUBT_LOG_FILE_MB", 16, MinLogFileBytes >> 20, 1024) << 20,
            BlockCacheBytes = (long)Number("REDOUBT_PAGE_CACHE_MB", 48, 1, 1 << 20) << 20,
            FreeSpacePagesPerSecond = Number("REDOUBT_FREE_SPACE_PAGES_PER_S", 100, 0, 1 << 20),
            ScrubBytesPerSecond = (long)Number("REDOUBT_SCRUB_MB_PER_S", 4, 0, 1 << 20) << 20,
            MaxConnections = Number("REDOUBT_MAX_CONNECTIONS", 4096, 16, 1 << 20),
            MaxUnauthenticated = Number("REDOUBT_MAX_UNAUTHENTICATED", 256, 16, 1 << 16),
            Drills = Optional("REDOUBT_DRILLS") == "1",
            JsonLogs = string.Equals(Optional("REDOUBT_LOG_FORMAT"), "json", StringComparison.OrdinalIgnoreCase),
            OtlpEndpoint = Uri.TryCreate(Optional("OTEL_EXPORTER_OTLP_ENDPOINT"), UriKind.Absolute, out var otlp) ? otlp : null,
        };
    }

    private static Dictionary<string, string> ParseFlags(string[] args)
    {
        var flags = new Dictionary<string, string>(StringComparer.Ordinal);
        for (int i = 0; i < args.Length; i++)
        {
            if (!args[i].StartsWith("--", StringComparison.Ordinal))
            {
                throw new ConfigurationException($"'{args[i]}' is not a flag such as --data-dir; see docs/processes.md.");
            }

            int equals = args[i].IndexOf('=', StringComparison.Ordinal);
            string name = equals < 0 ? args[i][2..] : args[i][2..equals];
            string value = equals >= 0 ? args[i][(equals + 1)..]
                : ++i < args.Length ? args[i]
                : throw new ConfigurationException($"--{name} lacks its value.");
            flags["REDOUBT_" + name.ToUpperInvariant().Replace('-', '_')] = value;
        }

        return flags;
    }

    private static List<Uri> ParseSegments(string text)
    {
        var segments = new List<Uri>();
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            segments.Add(equals > 0 && Uri.TryCreate(part[(equals + 1)..], UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
                ? new Uri(part[(equals + 1)..])
                : throw new ConfigurationException($"REDOUBT_SEGMENTS has '{part}'; write storage-0=http://host:port,storage-1=…"));
        }

        return segments;
    }

    private static IPEndPoint ParseEndpoint(string key, string text)
    {
        int colon = text.LastIndexOf(':');
        string host = colon < 0 ? "" : text[..colon].Trim('[', ']');
        if (colon < 0 || !ushort.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
        {
            throw new ConfigurationException($"{key} is '{text}'; write host:port.");
        }

        if (host is "" or "*" or "0.0.0.0")
        {
            return new IPEndPoint(IPAddress.Any, port);
        }

        if (IPAddress.TryParse(host, out var address))
        {
            return new IPEndPoint(address, port);
        }

        try
        {
            return new IPEndPoint(Dns.GetHostAddresses(host)[0], port);
        }
        catch (System.Net.Sockets.SocketException e)
        {
            throw new ConfigurationException($"{key}: host '{host}' has no address ({e.Message}).");
        }
    }

    private static string ReadSecret(string? path) =>
        path is null ? "" : SecretFile.TryRead(path, out string problem) ?? throw new ConfigurationException($"REDOUBT_SECRET_FILE: {problem}");
}
