using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;
using Prometheus;
using Redoubt.Wal;

namespace Redoubt.Storage.Hosting;

/// <summary>What people and the operator see over HTTP: docs/processes.md. And drills, when they are allowed.</summary>
internal static class StatusEndpoints
{
    public static void Map(WebApplication app, SegmentHost host, StorageMetrics metrics, StorageOptions options, ILogger logger)
    {
        app.MapGet("/healthz", () => Results.Text("ok\n"));
        app.MapGet("/readyz", () =>
        {
            var failed = host.Segments.Select(s => s.State()).FirstOrDefault(s => s.State == "failed");
            return failed is null
                ? Results.Text("ok\n")
                : Results.Text($"group {failed.Segment.Group}: {failed.Message}\n", statusCode: StatusCodes.Status503ServiceUnavailable);
        });
        app.MapGet("/status", () => Results.Json(StatusOf(host), StatusJson.Default.ProcessStatus));
        app.MapGet("/metrics", async context =>
        {
            context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            await metrics.Registry.CollectAndExportAsTextAsync(context.Response.Body, context.RequestAborted).ConfigureAwait(false);
        });
        if (options.Drills)
        {
            MapDrills(app, host, logger);
        }
    }

    private static void MapDrills(WebApplication app, SegmentHost host, ILogger logger)
    {
        app.MapPost("/drill/{what}", ([FromRoute] string what, HttpContext context) =>
        {
            switch (what)
            {
                case "slow":
                    if (!int.TryParse(context.Request.Query["ms"], NumberStyles.None, CultureInfo.InvariantCulture, out int ms) || ms > 60_000)
                    {
                        return Results.Text("write /drill/slow?ms=0…60000\n", statusCode: StatusCodes.Status400BadRequest);
                    }

                    host.Drills.DelayMs = ms;
                    break;
                case "partition":
                    host.Drills.Partitioned = true;
                    host.DropStreams();
                    break;
                case "fill":
                    host.Drills.Full = true;
                    break;
                case "heal":
                    host.Drills.DelayMs = 0;
                    host.Drills.Partitioned = false;
                    host.Drills.Full = false;
                    break;
                default:
                    return Results.Text("drills: slow?ms=, partition, fill, heal\n", statusCode: StatusCodes.Status404NotFound);
            }

            host.Segments.ForEach(s => s.Log.PretendFull = host.Drills.Full);
            logger.Drill(what);
            return Results.Text("ok\n");
        });
    }

    private static ProcessStatus StatusOf(SegmentHost host)
    {
        var segments = host.Segments.Select(s => s.State()).Select(s => new SegmentStatus(
            (int)s.Segment.Group, s.Epoch, new Lsn(s.Scl).ToString(), new Lsn(s.Applied).ToString(), new Lsn(s.Vdl).ToString(), s.State, s.Message)).ToArray();
        string state = segments.Any(s => s.State == "failed") ? "failed"
            : segments.FirstOrDefault(s => s.State != "complete")?.State ?? "ready";
        return new ProcessStatus(host.Name, host.Zone, host.Index, state, segments);
    }
}

/// <summary>The JSON of <c>/status</c>.</summary>
internal sealed record ProcessStatus(string Name, string Zone, int Index, string State, SegmentStatus[] Segments);

/// <summary>One segment in it.</summary>
internal sealed record SegmentStatus(int Group, ulong Epoch, string Scl, string AppliedLsn, string Vdl, string State, string Message);

[JsonSerializable(typeof(ProcessStatus))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class StatusJson : JsonSerializerContext;
