using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Redoubt.TestCluster.Api;

/// <summary>Routes HTTP requests to the registry and writes its answers as objects, tables or watch streams.</summary>
internal sealed partial class HttpFrontend(Registry registry)
{
    private sealed record Target(ResourceType Type, string Namespace, string Name, string Subresource)
    {
        public bool AllNamespaces => Type.Namespaced && Namespace.Length == 0;
    }

    public Authorizer Authorizer { get; } = new(registry);

    public Faults Faults { get; } = new();

    /// <summary>Log text of a container (namespace, pod, container or null, previous run); set by the kubelet.</summary>
    public Func<string, string, string?, bool, string?>? Logs { get; set; }

    /// <summary>Requests answered so far that are not watches: by method and path.</summary>
    public event Action<string, string>? Requested;

    public async Task HandleAsync(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        try
        {
            var path = request.Path.Value ?? "/";
            if (Faults.Outage is { } outage)
            {
                if (outage == Outage.HalfOpen)
                {
                    await Faults.Over.WaitAsync(context.RequestAborted);
                }
                context.Abort();
                return;
            }
            if (path is "/healthz" or "/readyz" or "/livez")
            {
                await response.WriteAsync("ok");
                return;
            }
            if (Faults.Latency > TimeSpan.Zero)
            {
                await Task.Delay(Faults.Latency, context.RequestAborted);
            }
            if (Faults.Take(request.Method, path) is { } code)
            {
                throw ApiException.ServerError(code);
            }
            var isWatch = request.Query["watch"] == "true" || request.Query["watch"] == "1";
            if (!isWatch)
            {
                Requested?.Invoke(request.Method, path);
            }
            if (Discovery.Answer(registry, path) is { } document)
            {
                Authorizer.Check(request.Headers.Authorization, "get", null, "", "", "");
                await WriteAsync(response, 200, document);
                return;
            }
            var target = Route(path);
            Authorizer.Check(request.Headers.Authorization, Verb(request, target, isWatch), target.Type, target.Subresource, target.Namespace, target.Name);
            await DispatchAsync(context, target, isWatch);
        }
        catch (ApiException e)
        {
            await WriteAsync(response, e.Code, e.Status);
        }
        catch (OperationCanceledException)
        {
            // the client has gone
        }
        catch (Exception e) when (e is JsonException or YamlDotNet.Core.YamlException or FormatException)
        {
            if (!response.HasStarted)
            {
                await WriteAsync(response, 400, ApiException.BadRequest($"the body cannot be read: {e.Message}").Status);
            }
        }
        catch (Exception e) when (!response.HasStarted)
        {
            var fault = ApiException.ServerError(500).Status;
            fault["message"] = $"fault of the test server: {e}";
            await WriteAsync(response, 500, fault);
        }
    }

    private Target Route(string path)
    {
        var steps = path.Trim('/').Split('/').Select(Uri.UnescapeDataString).ToList();
        string group, version;
        if (steps is ["api", var v, ..])
        {
            (group, version) = ("", v);
            steps.RemoveRange(0, 2);
        }
        else if (steps is ["apis", var g, var gv, ..])
        {
            (group, version) = (g, gv);
            steps.RemoveRange(0, 3);
        }
        else
        {
            throw ApiException.NoSuchPath();
        }
        var ns = "";
        if (steps.Count >= 3 && steps[0] == "namespaces" && !(steps.Count == 3 && steps[2] is "status" or "finalize"))
        {
            ns = steps[1];
            steps.RemoveRange(0, 2);
        }
        if (steps.Count is 0 or > 3 || registry.Find(group, version, steps[0]) is not { } type || (ns.Length > 0 && !type.Namespaced))
        {
            throw ApiException.NoSuchPath();
        }
        var name = steps.ElementAtOrDefault(1) ?? "";
        return type.Namespaced && ns.Length == 0 && name.Length > 0
            ? throw ApiException.NoSuchPath()
            : new Target(type, type == BuiltInTypes.Namespaces ? "" : ns, name, steps.ElementAtOrDefault(2) ?? "");
    }

    private static string Verb(HttpRequest request, Target target, bool isWatch) => request.Method switch
    {
        "GET" when isWatch => "watch",
        "GET" => target.Name.Length > 0 ? "get" : "list",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => target.Name.Length > 0 ? "delete" : "deletecollection",
        _ => throw ApiException.MethodNotAllowed(),
    };

    private async Task DispatchAsync(HttpContext context, Target target, bool isWatch)
    {
        var (request, response) = (context.Request, context.Response);
        var type = target.Type;
        if (target.Subresource.Length > 0 && !(target.Subresource == "status" && type.HasStatus))
        {
            await SubresourceAsync(context, target);
            return;
        }
        switch (request.Method)
        {
            case "GET" when isWatch:
                await WatchAsync(context, target);
                return;
            case "GET" when target.Name.Length > 0:
                await WriteObjectAsync(context, 200, type, registry.Get(type, target.Namespace, target.Name));
                return;
            case "GET":
                await ListAsync(context, target);
                return;
            case "POST" when target.Name.Length == 0:
                if (target.AllNamespaces)
                {
                    throw ApiException.MethodNotAllowed();
                }
                await WriteObjectAsync(context, 201, type, registry.Create(Stored(type), target.Namespace, Incoming(type, await BodyAsync(request)), Options(request)));
                return;
            case "PUT" when target.Name.Length > 0:
                await WriteObjectAsync(context, 200, type, registry.Update(
                    Stored(type), target.Namespace, target.Name, Incoming(type, await BodyAsync(request)), target.Subresource, Options(request)));
                return;
            case "PATCH" when target.Name.Length > 0:
                await PatchAsync(context, target);
                return;
            case "DELETE":
                await DeleteAsync(context, target);
                return;
            default:
                throw ApiException.MethodNotAllowed();
        }
    }

    private static ResourceType Stored(ResourceType type) => type == BuiltInTypes.NewEvents ? BuiltInTypes.Events : type;

    private static JsonObject Incoming(ResourceType type, JsonNode? body)
    {
        var o = body as JsonObject ?? throw ApiException.BadRequest("the body is not an object");
        return type == BuiltInTypes.NewEvents ? EventViews.ToCore(o) : o;
    }

    private async Task PatchAsync(HttpContext context, Target target)
    {
        var contentType = context.Request.ContentType?.Split(';')[0].Trim() ?? "";
        var body = await BodyAsync(context.Request);
        if (contentType is "application/apply-patch+yaml" or "application/apply-patch+cbor")
        {
            if (context.Request.Query["fieldManager"].ToString().Length == 0)
            {
                throw ApiException.BadRequest("PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
            }
            var (value, created) = registry.Apply(Stored(target.Type), target.Namespace, target.Name, Incoming(target.Type, body), target.Subresource, Options(context.Request));
            await WriteObjectAsync(context, created ? 201 : 200, target.Type, value);
            return;
        }
        if (context.Request.Query["force"] == "true")
        {
            throw ApiException.BadRequest("PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch");
        }
        await WriteObjectAsync(context, 200, target.Type,
            registry.Patch(Stored(target.Type), target.Namespace, target.Name, contentType, body, target.Subresource, Options(context.Request)));
    }

    /// <summary>Kinds whose deletion answers with the object even when it is gone; the others answer with a Status.</summary>
    private static readonly HashSet<ResourceType> ReturnsDeleted =
        [BuiltInTypes.Pods, BuiltInTypes.Services, BuiltInTypes.Claims, BuiltInTypes.Volumes, BuiltInTypes.ServiceAccounts, BuiltInTypes.StorageClasses];

    private async Task DeleteAsync(HttpContext context, Target target)
    {
        var query = context.Request.Query;
        var options = DeleteOptions.From(await BodyAsync(context.Request), query["gracePeriodSeconds"], query["propagationPolicy"].FirstOrDefault(), query["dryRun"]);
        if (target.Name.Length > 0)
        {
            var (value, gone) = registry.Delete(target.Type, target.Namespace, target.Name, options);
            if (!gone || ReturnsDeleted.Contains(target.Type))
            {
                await WriteObjectAsync(context, 200, target.Type, value);
                return;
            }
            await WriteAsync(context.Response, 200, new JsonObject
            {
                ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Success",
                ["details"] = new JsonObject { ["name"] = target.Name, ["group"] = target.Type.Group, ["kind"] = target.Type.Plural, ["uid"] = value.Uid() },
            });
            return;
        }
        if (target.AllNamespaces)
        {
            throw ApiException.MethodNotAllowed();
        }
        var labels = Selectors.Labels(query["labelSelector"]);
        var fields = Selectors.Fields(query["fieldSelector"], target.Type);
        var doomed = registry.List(target.Type, target.Type.Namespaced ? target.Namespace : null).Where(o => labels(o) && fields(o)).ToList();
        foreach (var item in doomed)
        {
            registry.Delete(target.Type, target.Namespace, item.Name(), options);
        }
        await WriteListAsync(context, target.Type, doomed, registry.Store.Revision.ToString(CultureInfo.InvariantCulture), null, 0);
    }

    private async Task SubresourceAsync(HttpContext context, Target target)
    {
        switch (context.Request.Method, target.Type.GroupResource, target.Subresource)
        {
            case ("POST", "pods", "eviction"):
                var body = await BodyAsync(context.Request);
                registry.Evict(target.Namespace, target.Name, DeleteOptions.From(body?["deleteOptions"], null, null, null));
                await WriteAsync(context.Response, 201, new JsonObject { ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Success", ["code"] = 201 });
                return;
            case ("GET", "pods", "log"):
                var pod = registry.Get(target.Type, target.Namespace, target.Name);
                var container = context.Request.Query["container"].FirstOrDefault();
                if (container is not null && pod.Objects("spec", "containers").All(c => c.Text("name") != container))
                {
                    throw ApiException.BadRequest($"container {container} is not valid for pod {target.Name}");
                }
                var text = Logs?.Invoke(target.Namespace, target.Name, container, context.Request.Query["previous"] == "true") ?? "";
                if (int.TryParse(context.Request.Query["tailLines"], out var tail))
                {
                    text = string.Join('\n', text.Split('\n').TakeLast(tail + 1));
                }
                context.Response.ContentType = "text/plain";
                await context.Response.WriteAsync(text);
                return;
            case ("POST", "serviceaccounts", "token"):
                registry.Get(target.Type, target.Namespace, target.Name);
                await WriteAsync(context.Response, 201, new JsonObject
                {
                    ["kind"] = "TokenRequest", ["apiVersion"] = "authentication.k8s.io/v1", ["metadata"] = new JsonObject(), ["spec"] = new JsonObject(),
                    ["status"] = new JsonObject
                    {
                        ["token"] = Authorizer.Issue(target.Namespace, target.Name), ["expirationTimestamp"] = DateTime.UtcNow.AddHours(1).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
                    },
                });
                return;
            default:
                throw ApiException.NoSuchPath();
        }
    }

    private static WriteOptions Options(HttpRequest request)
    {
        var agent = request.Headers.UserAgent.ToString();
        var manager = request.Query["fieldManager"].FirstOrDefault() ?? (agent.Length == 0 ? "unknown" : agent.Split('/', ' ')[0]);
        return new WriteOptions(manager)
        {
            DryRun = request.Query["dryRun"] == "All",
            Force = request.Query["force"] == "true",
            FieldValidation = request.Query["fieldValidation"].FirstOrDefault() ?? "Strict",
        };
    }

    private static async Task<JsonNode?> BodyAsync(HttpRequest request)
    {
        if (request.ContentType?.Contains("cbor", StringComparison.Ordinal) is true)
        {
            throw ApiException.UnsupportedMediaType(request.ContentType); // clients then send JSON
        }
        if (request.ContentType?.Contains("protobuf", StringComparison.Ordinal) is true)
        {
            using var bytes = new MemoryStream();
            await request.Body.CopyToAsync(bytes);
            return bytes.Length == 0 ? null : ProtobufBody.Read(bytes.ToArray());
        }
        using var reader = new StreamReader(request.Body, Encoding.UTF8);
        var text = await reader.ReadToEndAsync();
        return text.Length == 0 ? null : Yaml.Parse(text);
    }

    private static async Task WriteAsync(HttpResponse response, int code, JsonNode body)
    {
        response.StatusCode = code;
        response.ContentType = "application/json";
        await response.Body.WriteAsync(Encoding.UTF8.GetBytes(body.ToJsonString()));
    }
}
