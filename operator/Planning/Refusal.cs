using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Planning;

/// <summary>A step that the API server refuses, and what it is about.</summary>
/// <param name="Subject">What was to be done: kind and name, or for pods kind and role.</param>
/// <param name="Times">How often in a row.</param>
/// <param name="Error">The server's answer.</param>
public sealed record Refusal(string Subject, int Times, KubeApiException Error)
{
    /// <summary>Subject of the creation of the pods of a role.</summary>
    public static string PodsOf(string role) => "Pod " + role;

    /// <summary>Whether it tells about the cluster; an error of the server itself does so only when it stays.</summary>
    public bool IsTold => Error.IsPermanent || Error.IsNotFound || Times >= 3;

    /// <summary>Reason in one word and a sentence that says the way back.</summary>
    public Problem ToProblem()
    {
        var blocks = Subject.StartsWith("Pod ", StringComparison.Ordinal) || Subject.StartsWith("PersistentVolumeClaim ", StringComparison.Ordinal);
        var message = Subject.StartsWith("changed Pod ", StringComparison.Ordinal) ? $"The changed spec is not brought to the pods, because a new one would be refused: {Error.Message}" : Error.Message;
        bool Says(string words) => message.Contains(words, StringComparison.OrdinalIgnoreCase);
        return Error.Reason == "NameTaken" ? new Problem("NameTaken", message, blocks)
            : Error.Causes.Contains("NamespaceTerminating") || Says("because it is being terminated")
                ? new Problem("NamespaceTerminating", "The namespace is being deleted, so nothing new can be made in it", blocks)
            : Says("exceeded quota") || Says("failed quota")
                ? new Problem("QuotaExceeded", $"{message}: raise the quota, or write requests and limits that fit it into spec.compute.resources and spec.storage.resources", blocks)
            : Says("violates PodSecurity") ? new Problem("PodSecurity", $"{message}: let the namespace take pods of the restricted level", blocks)
            : Says("admission webhook") || Says("failed calling webhook") ? new Problem("WebhookRefused", $"{message}: see who runs the webhook", blocks)
            : Says("ValidatingAdmissionPolicy") ? new Problem("WebhookRefused", message, blocks)
            : Says(" cannot create ") || Says(" cannot patch ") || Says(" cannot delete ")
                ? new Problem("OperatorForbidden", $"{message}: the operator lacks this right, which its chart gives; install the chart's roles", blocks)
            : Error.IsPermanent || Error.IsNotFound ? new Problem("ApplyFailed", message, blocks)
            : new Problem("ServerError", $"The API server answers with an error: {message}", blocks);
    }
}
