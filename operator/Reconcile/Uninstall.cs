using System.Text.Json.Nodes;
using k8s;
using Redoubt.Operator.Api;
using Redoubt.Operator.Planning;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Reconcile;

/// <summary>
/// What the chart runs before it is uninstalled: <c>uninstall</c> fails while there are clusters, <c>uninstall --force</c> takes the operator's
/// finalizer off them, so that they can be deleted without it.
/// </summary>
public static class Uninstall
{
    /// <summary>How long the operator, which still runs, is kept off the clusters; the next one takes them up after that.</summary>
    private static readonly TimeSpan HoldOff = TimeSpan.FromMinutes(2);

    /// <returns>Exit status: 0 done, 1 there are clusters, 2 the call or the environment is wrong.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, TextWriter output, TextWriter errors)
    {
        if (arguments is not ([] or ["--force"]))
        {
            await errors.WriteLineAsync("uninstall takes no argument but --force.");
            return 2;
        }

        try
        {
            using var client = new Kubernetes(KubernetesClientConfiguration.BuildDefaultConfig());
            var excluded = (Environment.GetEnvironmentVariable("REDOUBT_EXCLUDE_NAMESPACES") ?? "").Split(',', StringSplitOptions.TrimEntries);
            return await RunAsync(
                new KubeApi(client), Environment.GetEnvironmentVariable("REDOUBT_WATCH_NAMESPACE") is { Length: > 0 } ns ? ns : null, excluded, arguments.Count > 0, output, errors);
        }
        catch (Exception e) when (e is KubeApiException or HttpRequestException or k8s.Exceptions.KubeConfigException)
        {
            await errors.WriteLineAsync($"The clusters cannot be listed: {e.Message}");
            return 2;
        }
    }

    public static async Task<int> RunAsync(
        KubeApi api, string? watchNamespace, IReadOnlyCollection<string> excluded, bool force, TextWriter output, TextWriter errors)
    {
        IReadOnlyList<DatabaseCluster> clusters;
        try
        {
            clusters = [.. (await api.ListAsync<DatabaseCluster>(watchNamespace, null, CancellationToken.None)).Items.Where(c => !excluded.Contains(c.Metadata.NamespaceProperty))];
        }
        catch (KubeApiException e) when (e.IsNotFound)
        {
            clusters = []; // the kind is gone already, and all clusters with it
        }

        foreach (var cluster in clusters)
        {
            var key = ObjectKey.Of(cluster);
            if (!force)
            {
                await errors.WriteLineAsync($"DatabaseCluster {key} is there; delete it first: kubectl -n {key.Namespace} delete dbc {key.Name}");
                continue;
            }

            var finalizers = new JsonArray([.. (cluster.Metadata.Finalizers ?? []).Where(f => f != Names.Finalizer).Select(f => (JsonNode)f)]);
            var claim = new OperatorClaim(OperatorClaim.Uninstalled, DateTime.UtcNow - OperatorClaim.Life + HoldOff);
            await api.MergePatchAsync<DatabaseCluster>(
                key,
                new JsonObject { ["metadata"] = new JsonObject { ["finalizers"] = finalizers, ["annotations"] = new JsonObject { [Names.OperatorAnnotation] = claim.ToString() } } },
                CancellationToken.None);
            await output.WriteLineAsync($"DatabaseCluster {key} goes on without an operator; deleting it leaves its volumes.");
        }

        if (clusters.Count > 0 && !force)
        {
            await errors.WriteLineAsync("Or leave them running without an operator: helm upgrade RELEASE CHART --reuse-values --set force=true, then helm uninstall RELEASE.");
            return 1;
        }

        return 0;
    }
}
