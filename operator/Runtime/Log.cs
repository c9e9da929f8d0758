using Microsoft.Extensions.Logging;

namespace Redoubt.Operator.Runtime;

/// <summary>Every message that the operator logs.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Leading as {Identity}")]
    public static partial void Leading(ILogger log, string identity);

    [LoggerMessage(2, LogLevel.Warning, "Leadership lost by {Identity}; following")]
    public static partial void LeadershipLost(ILogger log, string identity);

    [LoggerMessage(3, LogLevel.Information, "Following {Leader}")]
    public static partial void Following(ILogger log, string leader);

    [LoggerMessage(4, LogLevel.Warning, "Leader election: {Error} (times: {Times})")]
    public static partial void ElectionFailed(ILogger log, string error, int times);

    [LoggerMessage(5, LogLevel.Information, "Caches are filled; reconciling")]
    public static partial void CachesFilled(ILogger log);

    [LoggerMessage(6, LogLevel.Warning, "Watch of {Kind} failed and is tried again: {Error} (times: {Times})")]
    public static partial void WatchFailed(ILogger log, string kind, string error, int times);

    [LoggerMessage(7, LogLevel.Information, "Watch of {Kind} is too old at {Version}; listing again")]
    public static partial void ListAgain(ILogger log, string kind, string? version);

    [LoggerMessage(8, LogLevel.Warning, "Cluster {Cluster} could not be reconciled and is tried again: {Error} (times: {Times})")]
    public static partial void ReconcileFailed(ILogger log, string cluster, string error, int times);

    [LoggerMessage(9, LogLevel.Information, "Cluster {Cluster}: {Step}")]
    public static partial void Step(ILogger log, string cluster, string step);

    [LoggerMessage(10, LogLevel.Information, "Cluster {Cluster}: {Phase}")]
    public static partial void Phase(ILogger log, string cluster, string phase);

    [LoggerMessage(11, LogLevel.Warning, "Event {Reason} on {Cluster} was not recorded: {Error} (times: {Times})")]
    public static partial void EventFailed(ILogger log, string cluster, string reason, string error, int times);

    [LoggerMessage(12, LogLevel.Error, "Cluster {Cluster}: unexpected error")]
    public static partial void Unexpected(ILogger log, Exception e, string cluster);

    [LoggerMessage(13, LogLevel.Error, "Reconciling ended with an unexpected error; it starts anew")]
    public static partial void WorkFailed(ILogger log, Exception e);

    [LoggerMessage(14, LogLevel.Warning, "Cluster {Cluster}: {Step} was refused and is tried again after a pause: {Error} (times: {Times})")]
    public static partial void Refused(ILogger log, string cluster, string step, string error, int times);

    [LoggerMessage(15, LogLevel.Information, "Cluster {Cluster} is looked after by operator {Other}; standing aside")]
    public static partial void StandingAside(ILogger log, string cluster, string other);
}
