using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Redoubt.TestCluster.Api;

internal sealed partial class HttpFrontend
{
    private static readonly TimeSpan BookmarkInterval = TimeSpan.FromSeconds(10);

    /// <summary>Lists in pages: what is left of a list, at the revision of its first page.</summary>
    private readonly Dictionary<string, (List<JsonObject> Items, long Revision)> _pages = [];

    private static bool WantsTable(HttpRequest request) => request.Headers.Accept.ToString().Contains("as=Table", StringComparison.Ordinal);

    private static bool WantsMetadata(HttpRequest request) => request.Headers.Accept.ToString().Contains("as=PartialObjectMetadata", StringComparison.Ordinal);

    private static JsonObject Shown(ResourceType type, JsonObject value) => type == BuiltInTypes.NewEvents ? EventViews.ToNew(value) : value;

    private static JsonObject View(HttpContext context, ResourceType type, JsonObject value, string resourceVersion, bool header = true)
    {
        if (WantsTable(context.Request))
        {
            return Tables.Of(type, [value], resourceVersion, header);
        }
        return WantsMetadata(context.Request)
            ? new JsonObject { ["kind"] = "PartialObjectMetadata", ["apiVersion"] = "meta.k8s.io/v1", ["metadata"] = value["metadata"]?.DeepClone() }
            : Shown(type, value);
    }

    private static Task WriteObjectAsync(HttpContext context, int code, ResourceType type, JsonObject value) =>
        WriteAsync(context.Response, code, View(context, type, value, value.Text("metadata", "resourceVersion") ?? ""));

    private Task ListAsync(HttpContext context, Target target)
    {
        var query = context.Request.Query;
        var type = target.Type;
        List<JsonObject> items;
        long revision;
        if (query["continue"].FirstOrDefault() is { Length: > 0 } token)
        {
            lock (_pages)
            {
                if (!_pages.Remove(token, out var page))
                {
                    throw ApiException.Expired("The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.");
                }
                (items, revision) = page;
            }
        }
        else
        {
            var labels = Selectors.Labels(query["labelSelector"]);
            var fields = Selectors.Fields(query["fieldSelector"], type);
            var (all, at) = registry.Store.List(Registry.StorageOf(type), target.AllNamespaces || !type.Namespaced ? null : target.Namespace);
            (items, revision) = ([.. all.Where(o => (target.Name.Length == 0 || o.Name() == target.Name) && labels(o) && fields(o))], at);
        }
        string? next = null;
        var remaining = 0;
        if (int.TryParse(query["limit"], out var limit) && limit > 0 && items.Count > limit)
        {
            next = Guid.NewGuid().ToString("N");
            remaining = items.Count - limit;
            lock (_pages)
            {
                _pages[next] = ([.. items.Skip(limit)], revision);
            }
            items = [.. items.Take(limit)];
        }
        return WriteListAsync(context, type, items, revision.ToString(CultureInfo.InvariantCulture), next, remaining);
    }

    private static Task WriteListAsync(HttpContext context, ResourceType type, List<JsonObject> items, string revision, string? next, int remaining)
    {
        JsonObject list;
        if (WantsTable(context.Request))
        {
            list = Tables.Of(type, items, revision);
        }
        else
        {
            var metadataOnly = WantsMetadata(context.Request);
            list = new JsonObject
            {
                ["kind"] = metadataOnly ? "PartialObjectMetadataList" : $"{type.Kind}List",
                ["apiVersion"] = metadataOnly ? "meta.k8s.io/v1" : type.ApiVersion,
                ["metadata"] = new JsonObject { ["resourceVersion"] = revision },
                ["items"] = new JsonArray([.. items.Select(i => (JsonNode)View(context, type, i, revision).DeepClone())]),
            };
        }
        if (next is not null)
        {
            list.Meta()["continue"] = next;
            list.Meta()["remainingItemCount"] = remaining;
        }
        return WriteAsync(context.Response, 200, list);
    }

    private async Task WatchAsync(HttpContext context, Target target)
    {
        var (query, type, response) = (context.Request.Query, target.Type, context.Response);
        var labels = Selectors.Labels(query["labelSelector"]);
        var fields = Selectors.Fields(query["fieldSelector"], type);
        var ns = target.AllNamespaces || !type.Namespaced ? null : target.Namespace;
        bool Matches(JsonObject o) => (ns is null || o.Namespace() == ns) && (target.Name.Length == 0 || o.Name() == target.Name) && labels(o) && fields(o);

        var from = query["resourceVersion"].FirstOrDefault();
        var initial = query["sendInitialEvents"] == "true" || from is null or "" or "0";
        if (!initial && !long.TryParse(from, out _))
        {
            throw ApiException.BadRequest($"invalid resource version: {from}");
        }
        var bookmarks = query["allowWatchBookmarks"] == "true";
        var deadline = TimeSpan.FromSeconds(int.TryParse(query["timeoutSeconds"], out var t) && t > 0 ? t : 3600);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        timeout.CancelAfter(deadline);

        response.ContentType = "application/json";
        var header = true;
        async Task SendAsync(string kind, JsonObject body)
        {
            var line = new JsonObject { ["type"] = kind, ["object"] = body.DeepClone() }.ToJsonString();
            await response.Body.WriteAsync(Encoding.UTF8.GetBytes(line + "\n"), timeout.Token);
            await response.Body.FlushAsync(timeout.Token);
        }
        JsonObject Bookmark(long revision, bool end)
        {
            var meta = new JsonObject { ["resourceVersion"] = revision.ToString(CultureInfo.InvariantCulture) };
            if (end)
            {
                meta["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" };
            }
            return new JsonObject { ["kind"] = type.Kind, ["apiVersion"] = type.ApiVersion, ["metadata"] = meta };
        }
        await response.StartAsync(timeout.Token);
        ObjectStore.Subscription subscription;
        IReadOnlyList<JsonObject> start = [];
        long revision;
        try
        {
            lock (registry.Store.Lock)
            {
                revision = registry.Store.Revision;
                if (initial)
                {
                    start = [.. registry.Store.List(Registry.StorageOf(type), ns).Items.Where(Matches)];
                }
                subscription = registry.Store.Subscribe(Registry.StorageOf(type), initial ? revision : long.Parse(from!, CultureInfo.InvariantCulture));
            }
        }
        catch (ApiException e)
        {
            await SendAsync("ERROR", e.Status);
            return;
        }
        using (subscription)
        {
            foreach (var item in start)
            {
                await SendAsync("ADDED", View(context, type, item, revision.ToString(CultureInfo.InvariantCulture), header));
                header = false;
            }
            if (query["sendInitialEvents"] == "true" && bookmarks)
            {
                await SendAsync("BOOKMARK", Bookmark(revision, end: true));
            }
            await response.Body.FlushAsync(timeout.Token);
            while (!timeout.IsCancellationRequested)
            {
                try
                {
                    using var pause = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token);
                    pause.CancelAfter(BookmarkInterval);
                    if (!await subscription.Events.WaitToReadAsync(pause.Token))
                    {
                        return; // dropped
                    }
                }
                catch (OperationCanceledException) when (!timeout.IsCancellationRequested)
                {
                    if (bookmarks)
                    {
                        lock (registry.Store.Lock)
                        {
                            revision = subscription.Events.TryPeek(out _) ? revision : registry.Store.Revision;
                        }
                        await SendAsync("BOOKMARK", Bookmark(revision, end: false));
                    }
                    continue;
                }
                if (Faults.Outage is { } outage)
                {
                    if (outage == Outage.HalfOpen)
                    {
                        await Faults.Over.WaitAsync(timeout.Token);
                    }
                    context.Abort();
                    return;
                }
                while (subscription.Events.TryRead(out var e))
                {
                    revision = e.Revision;
                    var (now, before) = (e.Type != "DELETED" && Matches(e.Object), e.Previous is not null && Matches(e.Previous));
                    var kind = (now, before) switch { (true, true) => "MODIFIED", (true, false) => "ADDED", (false, true) => "DELETED", _ => null };
                    if (kind is not null)
                    {
                        await SendAsync(kind, View(context, type, e.Object, e.Object.Text("metadata", "resourceVersion") ?? "", header));
                        header = false;
                    }
                }
            }
        }
    }
}
