using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace Redoubt.Operator.Runtime;

/// <summary>
/// The few requests that the operator makes, for every kind of object alike: list, watch, get, create, delete, server-side
/// apply and merge patch. Connection, credentials and serialisation are those of <c>KubernetesClient</c>; its generated
/// methods are one per kind, and its watch helper hides bookmarks and error lines.
/// </summary>
public sealed class KubeApi(Kubernetes client, OperatorMetrics? metrics = null)
{
    /// <summary>Field manager of everything that the operator writes.</summary>
    public const string FieldManager = "redoubt-operator";

    private const int PageSize = 500;
    private const int WatchSeconds = 290;

    /// <summary>How long one answer may take; a server that is half open must not hold a worker for ever.</summary>
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PageLimit = TimeSpan.FromSeconds(30);

    /// <summary>A watch that has been silent for longer is asked for anew: servers send bookmarks every minute.</summary>
    private static readonly TimeSpan WatchSilence = TimeSpan.FromSeconds(100);

    public Kubernetes Client => client;

    /// <summary>All objects of a kind, in pages.</summary>
    /// <returns>The objects and the resourceVersion to watch from.</returns>
    /// <exception cref="KubeApiException">The server refused.</exception>
    public async Task<(IReadOnlyList<T> Items, string ResourceVersion)> ListAsync<T>(
        string? namespaceName, string? labelSelector, CancellationToken cancel)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var type = ResourceType.Of<T>();
        var items = new List<T>();
        string? token = null;
        while (true)
        {
            var query = new Query().Add("labelSelector", labelSelector).Add("limit", PageSize.ToString()).Add("continue", token);
            using var page = await WithinAsync(PageLimit, cancel, limited => ReadAsync("list", HttpMethod.Get, type.CollectionPath(namespaceName) + query, null, null, limited));
            foreach (var item in page.RootElement.GetProperty("items").EnumerateArray())
            {
                items.Add(Read<T>(item, type));
            }

            var metadata = page.RootElement.GetProperty("metadata");
            token = metadata.TryGetProperty("continue", out var next) ? next.GetString() : null;
            if (string.IsNullOrEmpty(token))
            {
                return (items, metadata.GetProperty("resourceVersion").GetString() ?? "");
            }
        }
    }

    /// <summary>Changes after <paramref name="resourceVersion"/>, with bookmarks, until the server or the network ends the watch.</summary>
    /// <exception cref="KubeApiException">The server refused or sent an error line (410 when the version is too old).</exception>
    public async IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(
        string? namespaceName, string? labelSelector, string resourceVersion, [EnumeratorCancellation] CancellationToken cancel)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var type = ResourceType.Of<T>();
        var query = new Query().Add("watch", "1").Add("allowWatchBookmarks", "true").Add("labelSelector", labelSelector)
            .Add("resourceVersion", resourceVersion).Add("timeoutSeconds", WatchSeconds.ToString());
        using var response = await WithinAsync(
            PageLimit, cancel, limited => SendAsync("watch", HttpMethod.Get, type.CollectionPath(namespaceName) + query, null, null, limited));

        // A connection that died without a word is given up; the next watch goes on where this one stopped.
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        await using var stream = await response.Content.ReadAsStreamAsync(cancel);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        while (true)
        {
            deadline.CancelAfter(WatchSilence);
            var silent = false;
            string? line = null;
            try
            {
                line = await reader.ReadLineAsync(deadline.Token);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                silent = true;
            }

            if (silent || line is null)
            {
                yield break;
            }

            if (line.Length == 0)
            {
                continue;
            }

            using var document = JsonDocument.Parse(line);
            var kind = document.RootElement.GetProperty("type").GetString();
            var value = document.RootElement.GetProperty("object");
            if (kind == "ERROR")
            {
                throw ToException(value.Deserialize<JsonElement>(), HttpStatusCode.InternalServerError);
            }

            yield return new WatchEvent<T>(
                kind switch
                {
                    "ADDED" => WatchEventKind.Added,
                    "MODIFIED" => WatchEventKind.Modified,
                    "DELETED" => WatchEventKind.Deleted,
                    "BOOKMARK" => WatchEventKind.Bookmark,
                    _ => throw new KubeApiException(HttpStatusCode.InternalServerError, "UnknownWatchEvent", $"Unknown watch event {kind}."),
                },
                Read<T>(value, type));
        }
    }

    /// <summary>The object, or null when there is none.</summary>
    public async Task<T?> GetAsync<T>(ObjectKey key, CancellationToken cancel)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        try
        {
            return await SendAsync<T>("get", HttpMethod.Get, PathOf(ResourceType.Of<T>(), key), null, null, cancel);
        }
        catch (KubeApiException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    /// <summary>Metadata of an object, or null when there is none.</summary>
    public async Task<V1ObjectMeta?> GetMetadataAsync(ResourceType type, ObjectKey key, CancellationToken cancel)
    {
        try
        {
            return await SendForMetadataAsync("get", HttpMethod.Get, PathOf(type, key), null, null, cancel);
        }
        catch (KubeApiException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    /// <summary>Creates an object; 409 when there is one of that name.</summary>
    /// <returns>Metadata of the object as it is now.</returns>
    public Task<V1ObjectMeta> CreateAsync(IKubernetesObject<V1ObjectMeta> value, CancellationToken cancel)
    {
        var type = ResourceType.Of(value);
        var path = type.CollectionPath(value.Metadata.NamespaceProperty) + new Query().Add("fieldManager", FieldManager);
        return SendForMetadataAsync("create", HttpMethod.Post, path, KubernetesJson.Serialize(Stamp(value, type)), "application/json", cancel);
    }

    /// <summary>Whether the server would take a pod of this kind beside those that exist; nothing is made.</summary>
    /// <exception cref="KubeApiException">It would not; the message says why.</exception>
    public async Task CheckAsync(V1Pod pod, CancellationToken cancel)
    {
        // Under another name: one that exists would be refused for its name.
        var copy = KubernetesJson.Deserialize<V1Pod>(KubernetesJson.Serialize(Stamp(pod, ResourceType.Pods)));
        copy.Metadata.Name = pod.Metadata.Name + "-check";
        var path = ResourceType.Pods.CollectionPath(pod.Metadata.NamespaceProperty) + new Query().Add("fieldManager", FieldManager).Add("dryRun", "All");
        await SendForMetadataAsync("check", HttpMethod.Post, path, KubernetesJson.Serialize(copy), "application/json", cancel);
    }

    /// <summary>Server-side apply: makes the fields that <paramref name="value"/> holds ours and equal to it.</summary>
    /// <param name="value">Object with only the fields that the operator means to own.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>Metadata of the object as it is now.</returns>
    public Task<V1ObjectMeta> ApplyAsync(IKubernetesObject<V1ObjectMeta> value, CancellationToken cancel)
    {
        var type = ResourceType.Of(value);
        var path = PathOf(type, ObjectKey.Of(value)) + new Query().Add("fieldManager", FieldManager).Add("force", "true");
        return SendForMetadataAsync("apply", HttpMethod.Patch, path, KubernetesJson.Serialize(Stamp(value, type)), "application/apply-patch+yaml", cancel);
    }

    /// <summary>Server-side apply of some fields of an object or of a subresource of it.</summary>
    /// <param name="key">Name of the object.</param>
    /// <param name="fields">The fields to own, without <c>apiVersion</c>, <c>kind</c> and <c>metadata</c>.</param>
    /// <param name="subresource">For example <c>status</c>; null for the object itself.</param>
    /// <param name="cancel">Gives up.</param>
    public Task<T> ApplyAsync<T>(ObjectKey key, JsonObject fields, string? subresource, CancellationToken cancel)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var type = ResourceType.Of<T>();
        fields["apiVersion"] = type.ApiVersion;
        fields["kind"] = type.Kind;
        fields["metadata"] = new JsonObject { ["name"] = key.Name, ["namespace"] = key.Namespace };
        var path = PathOf(type, key) + (subresource is null ? "" : "/" + subresource)
            + new Query().Add("fieldManager", FieldManager).Add("force", "true");
        return SendAsync<T>("apply", HttpMethod.Patch, path, fields.ToJsonString(), "application/apply-patch+yaml", cancel);
    }

    /// <summary>JSON merge patch (RFC 7386). Put <c>metadata.resourceVersion</c> into it to be refused (409) when the object has changed.</summary>
    public Task<T> MergePatchAsync<T>(ObjectKey key, JsonObject patch, CancellationToken cancel)
        where T : class, IKubernetesObject<V1ObjectMeta> =>
        SendAsync<T>("patch", HttpMethod.Patch, PathOf(ResourceType.Of<T>(), key) + new Query().Add("fieldManager", FieldManager),
            patch.ToJsonString(), "application/merge-patch+json", cancel);

    /// <summary>Deletes an object. Nothing happens when it is gone already.</summary>
    /// <param name="type">Its kind.</param>
    /// <param name="key">Its name.</param>
    /// <param name="uid">Only this very object (409 otherwise); null: whichever has the name.</param>
    /// <param name="graceSeconds">Grace period; null: the object's own.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task DeleteAsync(ResourceType type, ObjectKey key, string? uid, int? graceSeconds, CancellationToken cancel)
    {
        var options = new V1DeleteOptions
        {
            ApiVersion = "v1",
            Kind = "DeleteOptions",
            GracePeriodSeconds = graceSeconds,
            PropagationPolicy = "Background",
            Preconditions = uid is null ? null : new V1Preconditions { Uid = uid },
        };
        try
        {
            using var _ = await WithinAsync(
                AnswerLimit, cancel, limited => SendAsync("delete", HttpMethod.Delete, PathOf(type, key), KubernetesJson.Serialize(options), "application/json", limited));
        }
        catch (KubeApiException e) when (e.IsNotFound)
        {
            // The wish is fulfilled.
        }
    }

    private static string PathOf(ResourceType type, ObjectKey key) =>
        type.CollectionPath(key.Namespace.Length == 0 ? null : key.Namespace) + "/" + key.Name;

    private static T Stamp<T>(T value, ResourceType type)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        value.ApiVersion = type.ApiVersion;
        value.Kind = type.Kind;
        return value;
    }

    private static T Read<T>(JsonElement element, ResourceType type)
        where T : class, IKubernetesObject<V1ObjectMeta> =>
        Stamp(KubernetesJson.Deserialize<T>(element), type);

    private async Task<T> SendAsync<T>(string verb, HttpMethod method, string path, string? body, string? mediaType, CancellationToken cancel)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        using var document = await WithinAsync(AnswerLimit, cancel, limited => ReadAsync(verb, method, path, body, mediaType, limited));
        return Read<T>(document.RootElement, ResourceType.Of<T>());
    }

    private async Task<V1ObjectMeta> SendForMetadataAsync(
        string verb, HttpMethod method, string path, string? body, string? mediaType, CancellationToken cancel)
    {
        using var document = await WithinAsync(AnswerLimit, cancel, limited => ReadAsync(verb, method, path, body, mediaType, limited));
        return KubernetesJson.Deserialize<V1ObjectMeta>(document.RootElement.GetProperty("metadata"));
    }

    private async Task<JsonDocument> ReadAsync(string verb, HttpMethod method, string path, string? body, string? mediaType, CancellationToken cancel)
    {
        using var response = await SendAsync(verb, method, path, body, mediaType, cancel);
        await using var stream = await response.Content.ReadAsStreamAsync(cancel);
        return await JsonDocument.ParseAsync(stream, cancellationToken: cancel);
    }

    /// <exception cref="HttpRequestException">The server has not answered in time.</exception>
    private static async Task<T> WithinAsync<T>(TimeSpan limit, CancellationToken cancel, Func<CancellationToken, Task<T>> request)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limited.CancelAfter(limit);
        try
        {
            return await request(limited.Token);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new HttpRequestException($"The API server has not answered within {limit.TotalSeconds:0} s.", e);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(
        string verb, HttpMethod method, string path, string? body, string? mediaType, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(method, new Uri(client.BaseUri, path));
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(mediaType!);
        }

        if (client.Credentials is not null)
        {
            await client.Credentials.ProcessHttpRequestAsync(request, cancel);
        }

        metrics?.ApiRequests.WithLabels(verb).Inc();
        var response = await client.HttpClient.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            var text = await response.Content.ReadAsStringAsync(cancel);
            try
            {
                using var status = JsonDocument.Parse(text);
                throw ToException(status.RootElement, response.StatusCode);
            }
            catch (JsonException)
            {
                throw new KubeApiException(response.StatusCode, response.StatusCode.ToString(), text.Trim());
            }
        }
    }

    private static KubeApiException ToException(JsonElement status, HttpStatusCode fallback)
    {
        if (status.ValueKind != JsonValueKind.Object)
        {
            return new KubeApiException(fallback, fallback.ToString(), status.ToString());
        }

        var code = status.TryGetProperty("code", out var c) && c.TryGetInt32(out var number) ? (HttpStatusCode)number : fallback;
        var reason = status.TryGetProperty("reason", out var r) ? r.GetString() : null;
        var message = status.TryGetProperty("message", out var m) ? m.GetString() : null;
        var causes = status.TryGetProperty("details", out var d) && d.ValueKind == JsonValueKind.Object && d.TryGetProperty("causes", out var list) && list.ValueKind == JsonValueKind.Array
            ? list.EnumerateArray().Select(x => x.TryGetProperty("reason", out var y) ? y.GetString() : null).OfType<string>().ToList() : [];
        return new KubeApiException(code, reason ?? code.ToString(), message ?? $"The API server answered {(int)code}.", causes);
    }

    /// <summary>Query string; values that are null are left out.</summary>
    private sealed class Query
    {
        private readonly StringBuilder text = new();

        public Query Add(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
            {
                text.Append(text.Length == 0 ? '?' : '&').Append(name).Append('=').Append(Uri.EscapeDataString(value));
            }

            return this;
        }

        public override string ToString() => text.ToString();
    }
}
