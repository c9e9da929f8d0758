using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using k8s;
using Redoubt.Operator.Api;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Reconcile;

/// <summary>
/// Writes the status when it says something new. LSNs move with every commit; a status that differs in nothing else is
/// written every ten seconds at most.
/// </summary>
public sealed class StatusWriter(KubeApi api, TimeProvider time)
{
    public static readonly TimeSpan LsnPeriod = TimeSpan.FromSeconds(10);

    /// <summary>A status that was refused is not written again before.</summary>
    private static readonly TimeSpan RefusedPause = TimeSpan.FromMinutes(2);
    private readonly ConcurrentDictionary<ObjectKey, DateTimeOffset> written = new();
    private readonly ConcurrentDictionary<ObjectKey, (JsonObject Status, DateTimeOffset Until)> refused = new();

    /// <returns>The new resourceVersion of the cluster, or null when nothing was written.</returns>
    public async Task<string?> WriteAsync(DatabaseCluster cluster, DatabaseClusterStatus status, CancellationToken cancel)
    {
        var key = ObjectKey.Of(cluster);
        var wanted = ToJson(status);
        var have = cluster.Status is null ? [] : ToJson(cluster.Status);
        if (JsonNode.DeepEquals(wanted, have))
        {
            return null;
        }

        if (JsonNode.DeepEquals(WithoutLsns(wanted), WithoutLsns(have))
            && written.TryGetValue(key, out var last) && time.GetUtcNow() - last < LsnPeriod)
        {
            return null;
        }

        if (refused.TryGetValue(key, out var before) && JsonNode.DeepEquals(wanted, before.Status) && time.GetUtcNow() < before.Until)
        {
            return null;
        }

        try
        {
            var result = await api.ApplyAsync<DatabaseCluster>(key, new JsonObject { ["status"] = wanted.DeepClone() }, "status", cancel);
            written[key] = time.GetUtcNow();
            refused.TryRemove(key, out _);
            return result.Metadata.ResourceVersion;
        }
        catch (KubeApiException e) when (e.IsPermanent)
        {
            refused[key] = (wanted, time.GetUtcNow() + RefusedPause);
            throw;
        }
    }

    public void Forget(ObjectKey cluster)
    {
        written.TryRemove(cluster, out _);
        refused.TryRemove(cluster, out _);
    }

    private static JsonObject ToJson(DatabaseClusterStatus status) => JsonNode.Parse(KubernetesJson.Serialize(status))!.AsObject();

    private static JsonObject WithoutLsns(JsonObject status)
    {
        var copy = status.DeepClone().AsObject();
        copy.Remove("vdl");
        foreach (var segment in copy["segments"]?.AsArray() ?? [])
        {
            segment!.AsObject().Remove("scl");
            segment.AsObject().Remove("appliedLsn");
        }

        return copy;
    }
}
