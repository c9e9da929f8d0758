using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Redoubt.Cli.Local;

/// <summary>Reads the <c>DatabaseCluster</c> manifest that <c>kubectl apply</c> takes; what only makes sense in pods is left aside.</summary>
internal static class ManifestReader
{
    /// <summary>Settings that Redoubt fixes: the reason comes with the refusal.</summary>
    private static readonly Dictionary<string, string> Fixed = new()
    {
        ["fsync"] = "a flush of the log is the storage quorum's acknowledgement",
        ["full_page_writes"] = "the log carries no full pages",
        ["restart_after_crash"] = "a crashed PostgreSQL starts again from storage",
        ["allow_alter_system"] = "settings come from the manifest",
        ["wal_compression"] = "records are read by storage",
        ["data_checksums"] = "storage has its own",
        ["listen_addresses"] = "the supervisor chooses it",
        ["port"] = "use --port",
    };

    /// <summary>What the manifest says.</summary>
    /// <param name="Name">metadata.name.</param>
    /// <param name="Postgres">spec.postgres.version, when given.</param>
    /// <param name="Copies">spec.storage.copies, when given.</param>
    /// <param name="Groups">spec.storage.groups, when given.</param>
    /// <param name="Parameters">spec.postgres.parameters.</param>
    /// <param name="Database">spec.database.name.</param>
    /// <param name="Owner">spec.database.owner.</param>
    internal sealed record Manifest(
        string Name, int? Postgres, int? Copies, int? Groups, IReadOnlyDictionary<string, string> Parameters, string Database, string Owner);

    /// <summary>Reads a manifest file.</summary>
    /// <exception cref="CliException">It cannot be read, or asks for what cannot be.</exception>
    public static Manifest Read(string file)
    {
        var stream = new YamlStream();
        try
        {
            using var reader = File.OpenText(file);
            stream.Load(reader);
        }
        catch (YamlException e)
        {
            throw new CliException($"{file} is not YAML (line {e.Start.Line}): {e.Message}", CliException.WrongUsage);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"{file} cannot be read: {e.Message}", CliException.WrongUsage);
        }

        var document = stream.Documents.Select(d => d.RootNode).OfType<YamlMappingNode>().FirstOrDefault(d => Text(d, "kind") == "DatabaseCluster")
            ?? throw new CliException($"{file} holds no object of kind DatabaseCluster.", CliException.WrongUsage);
        if (Text(document, "apiVersion") != "redoubt.dev/v1alpha1")
        {
            throw new CliException($"{file}: apiVersion is '{Text(document, "apiVersion")}'; write redoubt.dev/v1alpha1.", CliException.WrongUsage);
        }

        if (document.Children.TryGetValue(new YamlScalarNode("spec"), out var judged) && ManifestSchema.Load().Judge(judged) is { Count: > 0 } errors)
        {
            throw new CliException(string.Join('\n', errors.Select(error => $"{file}, {error}.")), CliException.WrongUsage);
        }

        var spec = Map(document, "spec");
        var postgres = Map(spec, "postgres");
        var storage = Map(spec, "storage");
        var database = Map(spec, "database");
        var parameters = (Map(postgres, "parameters")?.Children ?? new Dictionary<YamlNode, YamlNode>() as IDictionary<YamlNode, YamlNode>)
            .ToDictionary(p => ((YamlScalarNode)p.Key).Value!, p => (p.Value as YamlScalarNode)?.Value ?? "");
        foreach (var (name, reason) in Fixed)
        {
            if (parameters.ContainsKey(name))
            {
                throw new CliException($"{file}: the parameter {name} is set by Redoubt ({reason}); remove it.", CliException.WrongUsage);
            }
        }

        return new Manifest(
            Text(Map(document, "metadata"), "name") ?? throw new CliException($"{file} has no metadata.name.", CliException.WrongUsage),
            Number(file, postgres, "version"),
            Number(file, storage, "copies"),
            Number(file, storage, "groups"),
            parameters,
            Text(database, "name") ?? "app",
            Text(database, "owner") ?? "app");
    }

    private static YamlMappingNode? Map(YamlMappingNode? node, string key) =>
        node is not null && node.Children.TryGetValue(new YamlScalarNode(key), out var child) ? child as YamlMappingNode : null;

    private static string? Text(YamlMappingNode? node, string key) =>
        node is not null && node.Children.TryGetValue(new YamlScalarNode(key), out var child) ? (child as YamlScalarNode)?.Value : null;

    private static int? Number(string file, YamlMappingNode? node, string key) => Text(node, key) switch
    {
        null => null,
        var text when int.TryParse(text, out int number) => number,
        var text => throw new CliException($"{file}: '{text}' is no number for {key}.", CliException.WrongUsage),
    };
}
