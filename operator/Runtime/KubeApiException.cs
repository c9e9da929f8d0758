using System.Net;

namespace Redoubt.Operator.Runtime;

/// <summary>The API server refused a request. The message is the server's own.</summary>
public sealed class KubeApiException(HttpStatusCode code, string reason, string message, IReadOnlyList<string>? causes = null) : Exception(message)
{
    /// <summary>Reasons of the causes in the server's answer, for example <c>NamespaceTerminating</c>.</summary>
    public IReadOnlyList<string> Causes { get; } = causes ?? [];

    public HttpStatusCode Code { get; } = code;

    /// <summary>The machine-readable reason, for example <c>AlreadyExists</c>.</summary>
    public string Reason { get; } = reason;

    public bool IsNotFound => Code == HttpStatusCode.NotFound;
    public bool IsConflict => Code == HttpStatusCode.Conflict;

    /// <summary>The resourceVersion asked for is too old; list again.</summary>
    public bool IsGone => Code == HttpStatusCode.Gone;

    /// <summary>The same request will be refused again until somebody changes something.</summary>
    public bool IsPermanent => Code is HttpStatusCode.BadRequest or HttpStatusCode.Forbidden or HttpStatusCode.UnprocessableEntity
        or HttpStatusCode.MethodNotAllowed;
}
