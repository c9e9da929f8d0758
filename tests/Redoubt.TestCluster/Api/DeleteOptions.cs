using System.Text.Json.Nodes;

namespace Redoubt.TestCluster.Api;

/// <summary>DeleteOptions: what a delete asks for.</summary>
/// <param name="GracePeriodSeconds">Seconds that a pod gets; null: its own terminationGracePeriodSeconds.</param>
/// <param name="Propagation">Background (default), Foreground or Orphan.</param>
/// <param name="Uid">Precondition.</param>
/// <param name="ResourceVersion">Precondition.</param>
/// <param name="DryRun">Check only.</param>
public sealed record DeleteOptions(
    long? GracePeriodSeconds = null, string Propagation = "Background", string? Uid = null, string? ResourceVersion = null, bool DryRun = false)
{
    /// <summary>Reads the body and the query of a DELETE.</summary>
    public static DeleteOptions From(JsonNode? body, string? grace, string? propagation, string? dryRun) => new(
        long.TryParse(grace, out var g) ? g : body.Integer("gracePeriodSeconds"),
        propagation ?? body.Text("propagationPolicy") ?? (body.Flag("orphanDependents") is true ? "Orphan" : "Background"),
        body.Text("preconditions", "uid"),
        body.Text("preconditions", "resourceVersion"),
        dryRun == "All" || body.Strings("dryRun").Contains("All"));
}
