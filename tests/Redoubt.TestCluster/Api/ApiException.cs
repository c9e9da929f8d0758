using System.Text.Json.Nodes;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Api;

/// <summary>A refusal, as the <c>Status</c> object that a real server answers with.</summary>
public sealed class ApiException : Exception
{
    private ApiException(int code, string reason, string message, JsonObject? details)
        : base(message)
    {
        Code = code;
        Reason = reason;
        Status = new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Failure",
            ["message"] = message,
            ["reason"] = reason,
        };
        if (details is not null)
        {
            Status["details"] = details;
        }
        Status["code"] = code;
    }

    /// <summary>HTTP status.</summary>
    public int Code { get; }

    /// <summary>Machine-readable reason: NotFound, Conflict, Invalid …</summary>
    public string Reason { get; }

    /// <summary>The answer's body.</summary>
    public JsonObject Status { get; }

    private static JsonObject Details(ResourceType type, string name) =>
        new() { ["name"] = name, ["group"] = type.Group, ["kind"] = type.Plural };

    /// <summary>404.</summary>
    public static ApiException NotFound(ResourceType type, string name) =>
        new(404, "NotFound", $"{type.GroupResource} \"{name}\" not found", Details(type, name));

    /// <summary>404 for a path that names no resource.</summary>
    public static ApiException NoSuchPath() => new(404, "NotFound", "the server could not find the requested resource", []);

    /// <summary>409 on a create.</summary>
    public static ApiException AlreadyExists(ResourceType type, string name) =>
        new(409, "AlreadyExists", $"{type.GroupResource} \"{name}\" already exists", Details(type, name));

    /// <summary>409 on a stale write.</summary>
    public static ApiException Conflict(ResourceType type, string name, string why) =>
        new(409, "Conflict", $"Operation cannot be fulfilled on {type.GroupResource} \"{name}\": {why}", Details(type, name));

    /// <summary>409 of server-side apply.</summary>
    public static ApiException ApplyConflict(string message, IEnumerable<(string Manager, string Field)> conflicts) =>
        new(409, "Conflict", message, new JsonObject
        {
            ["causes"] = new JsonArray([.. conflicts.Select(c => (JsonNode)new JsonObject
            {
                ["reason"] = "FieldManagerConflict", ["message"] = $"conflict with \"{c.Manager}\"", ["field"] = c.Field,
            })]),
        });

    /// <summary>422 with every fault.</summary>
    public static ApiException Invalid(ResourceType type, string name, IReadOnlyList<FieldError> errors)
    {
        var details = Details(type, name);
        details["kind"] = type.Kind;
        details["causes"] = new JsonArray([.. errors.Select(e => (JsonNode)new JsonObject
        {
            ["reason"] = e.Reason, ["message"] = e.Message, ["field"] = e.Path,
        })]);
        var text = errors.Count == 1 ? errors[0].ToString() : $"[{string.Join(", ", errors)}]";
        var kind = type.Group.Length == 0 ? type.Kind : $"{type.Kind}.{type.Group}";
        return new ApiException(422, "Invalid", $"{kind} \"{name}\" is invalid: {text}", details);
    }

    /// <summary>400.</summary>
    public static ApiException BadRequest(string message) => new(400, "BadRequest", message, null);

    /// <summary>401.</summary>
    public static ApiException Unauthorized() => new(401, "Unauthorized", "Unauthorized", null);

    /// <summary>403.</summary>
    public static ApiException Forbidden(ResourceType type, string name, string why) =>
        new(403, "Forbidden", $"{type.GroupResource} {(name.Length == 0 ? "" : $"\"{name}\" ")}is forbidden: {why}", Details(type, name));

    /// <summary>403 of a creation in a namespace that is being deleted.</summary>
    public static ApiException NamespaceTerminating(ResourceType type, string name, string ns)
    {
        var refusal = Forbidden(type, name, $"unable to create new content in namespace {ns} because it is being terminated");
        refusal.Status["details"]!["causes"] = new JsonArray(new JsonObject
        {
            ["reason"] = "NamespaceTerminating", ["message"] = $"namespace {ns} is being terminated", ["field"] = "metadata.namespace",
        });
        return refusal;
    }

    /// <summary>403 of an admission webhook.</summary>
    public static ApiException Denied(string webhook, string why) => new(403, "Forbidden", $"admission webhook \"{webhook}\" denied the request: {why}", null);

    /// <summary>500 of an admission webhook that does not answer.</summary>
    public static ApiException WebhookFailed(string webhook) =>
        new(500, "InternalError", $"Internal error occurred: failed calling webhook \"{webhook}\": failed to call webhook: connection refused", null);

    /// <summary>405.</summary>
    public static ApiException MethodNotAllowed() =>
        new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", []);

    /// <summary>410: a resource version or continue token that was compacted away.</summary>
    public static ApiException Expired(string message) => new(410, "Expired", message, null);

    /// <summary>415.</summary>
    public static ApiException UnsupportedMediaType(string type) =>
        new(415, "UnsupportedMediaType", $"the body of the request was in an unknown format - {type}", []);

    /// <summary>429: a disruption budget would be violated.</summary>
    public static ApiException TooManyRequests(string message) => new(429, "TooManyRequests", message, new JsonObject
    {
        ["causes"] = new JsonArray(new JsonObject { ["reason"] = "DisruptionBudget", ["message"] = message }),
    });

    /// <summary>5xx: injected.</summary>
    public static ApiException ServerError(int code) => new(code, code == 503 ? "ServiceUnavailable" : "InternalError", "injected fault", []);
}
