using System.Text.Json;

namespace Redoubt.Cli.Local;

/// <summary>What a local cluster is: kept in <c>cluster.json</c>, so that <c>up</c> after <c>down</c> needs no flags.</summary>
public sealed record ClusterSpec
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Volume id, made once.</summary>
    public required Guid Volume { get; init; }

    /// <summary>Major version of PostgreSQL; fixed.</summary>
    public int Postgres { get; init; } = 17;

    /// <summary>Copies of everything: 6, 3 or 1; fixed.</summary>
    public int Copies { get; init; } = 6;

    /// <summary>Protection groups; fixed.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>The port that was asked for; the next free one is taken when it is in use.</summary>
    public int Port { get; init; } = 5432;

    /// <summary>PostgreSQL parameters.</summary>
    public IReadOnlyDictionary<string, string> Parameters { get; init; } = new Dictionary<string, string>();

    /// <summary>Database made for the application; null: none.</summary>
    public string? AppDatabase { get; init; }

    /// <summary>Its owner.</summary>
    public string? AppUser { get; init; }

    /// <summary>Copies that must have a record before it counts: 4 of 6, 2 of 3, 1 of 1.</summary>
    public int WriteQuorum => Copies switch { 6 => 4, 3 => 2, _ => 1 };

    /// <summary>Copies that recovery must reach: 3 of 6, 2 of 3, 1 of 1.</summary>
    public int ReadQuorum => Copies switch { 6 => 3, 3 => 2, _ => 1 };

    /// <summary>How JSON is written everywhere in this program.</summary>
    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Reads cluster.json; null when there is none.</summary>
    /// <exception cref="CliException">It is damaged.</exception>
    public static ClusterSpec? Load(string file)
    {
        if (!File.Exists(file))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(file), ControlJson.Indented.ClusterSpec);
        }
        catch (JsonException e)
        {
            throw new CliException($"{file} is damaged ({e.Message}); put it right, or remove the cluster with ./redoubt down --destroy");
        }
    }

    /// <summary>Writes cluster.json, whole or not at all.</summary>
    public void Save(string file)
    {
        string temporary = file + ".new";
        File.WriteAllBytes(temporary, JsonSerializer.SerializeToUtf8Bytes(this, ControlJson.Indented.ClusterSpec));
        File.Move(temporary, file, overwrite: true);
    }

    /// <summary>Checks what a person may have chosen.</summary>
    /// <exception cref="CliException">A choice that does not exist.</exception>
    public void Validate()
    {
        if (Copies is not (1 or 3 or 6))
        {
            throw new CliException($"--copies {Copies} has no safe quorum; use 6 (writes need 4), 3 (writes need 2) or 1 (development).", CliException.WrongUsage);
        }

        if (Groups is < 1 or > 64)
        {
            throw new CliException($"--groups {Groups} is not possible; use 1 to 64.", CliException.WrongUsage);
        }

        if (Postgres is not (17 or 18))
        {
            throw new CliException($"PostgreSQL {Postgres} is not supported; use --postgres 17 or 18.", CliException.WrongUsage);
        }

        if (Port is < 1 or > 65535)
        {
            throw new CliException($"--port {Port} is no port; use 1 to 65535.", CliException.WrongUsage);
        }
    }
}
