using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using Npgsql;

namespace Redoubt.EndToEnd;

/// <summary>One DatabaseCluster under test.</summary>
public sealed class Database(Target target, string ns, string name)
{
    /// <summary>Its namespace.</summary>
    public string Namespace => ns;

    /// <summary>Its name.</summary>
    public string Name => name;

    /// <summary>Applies a manifest with kubectl.</summary>
    public async Task<string> ApplyAsync(string yaml) => await target.KubectlAsync(yaml, "-n", ns, "apply", "-f", "-");

    /// <summary>Merges a change into the spec.</summary>
    public Task PatchAsync(string spec) => target.Client.PatchNamespacedCustomObjectAsync(
        new V1Patch($$"""{"spec":{{spec}} }""", V1Patch.PatchType.MergePatch), "redoubt.dev", "v1alpha1", ns, "databaseclusters", name);

    /// <summary>The custom resource as it is.</summary>
    public async Task<JsonNode> ReadAsync() =>
        JsonSerializer.SerializeToNode(await target.Client.GetNamespacedCustomObjectAsync("redoubt.dev", "v1alpha1", ns, "databaseclusters", name))!;

    /// <summary>Status, reason and message of a condition.</summary>
    public async Task<(string? Status, string? Reason, string? Message)> ConditionAsync(string type)
    {
        var condition = (await ReadAsync())["status"]?["conditions"]?.AsArray().FirstOrDefault(c => (string?)c!["type"] == type);
        return ((string?)condition?["status"], (string?)condition?["reason"], (string?)condition?["message"]);
    }

    /// <summary>Its pods of a role, oldest first.</summary>
    public async Task<IReadOnlyList<V1Pod>> PodsAsync(string? role = null) =>
        [.. (await target.Client.ListNamespacedPodAsync(ns, labelSelector: $"redoubt.dev/cluster={name}{(role is null ? "" : $",redoubt.dev/role={role}")}")).Items.OrderBy(p => p.CreationTimestamp())];

    /// <summary>Everything to look at when something is not as it should be.</summary>
    public async Task<string> StoryAsync()
    {
        var text = new StringBuilder();
        text.AppendLine(await target.KubectlAsync(null, "-n", ns, "describe", "dbc", name));
        text.AppendLine(await target.KubectlAsync(null, "-n", ns, "get", "pods,pvc,svc,endpoints,events", "-o", "wide"));
        foreach (var pod in (await PodsAsync()).Select(p => (ns, p.Name())).Concat((await target.Client.ListNamespacedPodAsync(Target.OperatorNamespace)).Items.Select(p => (Target.OperatorNamespace, p.Name()))))
        {
            text.AppendLine($"--- {pod.Item2}").AppendLine(await target.LogAsync(pod.Item1, pod.Item2));
        }
        text.AppendJoin('\n', target.Faults);
        return text.ToString();
    }

    /// <summary>Waits for Ready with every segment complete, as of the newest spec.</summary>
    public Task IsWholeAsync(TimeSpan? limit = null) => Wait.UntilAsync(async () =>
    {
        var cluster = await ReadAsync();
        bool Is(string type) => cluster["status"]?["conditions"]?.AsArray().Any(c => (string?)c!["type"] == type && (string?)c["status"] == "True" && c["observedGeneration"]?.ToString() == cluster["metadata"]!["generation"]!.ToString()) == true;
        return Is("Ready") && Is("StorageHealthy") && Is("WriteQuorum");
    }, limit ?? TimeSpan.FromMinutes(3), async () => $"{name} is Ready and whole; now:\n{await StoryAsync()}");

    /// <summary>A connection as the application's user, with what the Secret says.</summary>
    public async Task<NpgsqlConnection> ConnectAsync()
    {
        var secret = (await target.Client.ReadNamespacedSecretAsync($"{name}-app", ns)).Data.ToDictionary(d => d.Key, d => Encoding.UTF8.GetString(d.Value));
        var (host, port) = await target.ReachAsync(ns, $"{name}-rw") ?? throw new NpgsqlException($"{name}-rw has no endpoint now");
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder
        {
            Host = host, Port = port, Username = secret["username"], Password = secret["password"], Database = secret["dbname"],
            Pooling = false, Timeout = 5, CommandTimeout = 20, CancellationTimeout = -1,
        }.ConnectionString);
        await connection.OpenAsync();
        return connection;
    }

    /// <summary>The same, trying again for a while: the database may be between two compute pods, or the way to it.</summary>
    public async Task<NpgsqlConnection> ConnectPatientlyAsync()
    {
        NpgsqlConnection? connection = null;
        await Wait.UntilAsync(async () => (connection = await ConnectAsync()) is not null, TimeSpan.FromSeconds(30), async () => $"{name} takes connections; now:\n{await StoryAsync()}");
        return connection!;
    }

    /// <summary>Runs one statement on a connection of its own.</summary>
    public async Task<object?> SqlAsync(string sql)
    {
        await using var connection = await ConnectPatientlyAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }
}
