namespace Redoubt.Operator.Planning;

/// <summary>An event to record on the cluster.</summary>
/// <param name="Warning">Whether something is wrong.</param>
/// <param name="Reason">One word in camel case.</param>
/// <param name="Message">A sentence.</param>
public sealed record PlannedEvent(bool Warning, string Reason, string Message);
