using Redoubt.Wal;

namespace Redoubt.Storage;

/// <summary>Every message this process logs.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "{Name} (zone {Zone}, copy {Index}) of volume {Volume} listens on {Grpc}, status on {Http}")]
    public static partial void Started(this ILogger log, string name, string zone, int index, string volume, string grpc, string http);

    [LoggerMessage(2, LogLevel.Information, "group {Group}: opened at scl {Scl}, applied {Applied}, epoch {Epoch}, in {Ms} ms")]
    public static partial void SegmentOpened(this ILogger log, int group, Lsn scl, Lsn applied, ulong epoch, long ms);

    [LoggerMessage(3, LogLevel.Information, "group {Group}: epoch {Epoch} granted to {Writer} at scl {Scl}")]
    public static partial void EpochGranted(this ILogger log, int group, ulong epoch, string writer, Lsn scl);

    [LoggerMessage(4, LogLevel.Warning, "group {Group}: epoch {Epoch} refused to {Writer}; epoch {Current} is obeyed")]
    public static partial void EpochRefused(this ILogger log, int group, ulong epoch, string writer, ulong current);

    [LoggerMessage(5, LogLevel.Information, "group {Group}: epoch {Epoch} truncated above {Above} (group end {GroupEnd}); scl {Before} → {After}")]
    public static partial void Truncated(this ILogger log, int group, ulong epoch, Lsn above, Lsn groupEnd, Lsn before, Lsn after);

    [LoggerMessage(6, LogLevel.Information, "group {Group}: learned epoch {Epoch} from {Peer}; scl {Before} → {After}")]
    public static partial void HistoryLearned(this ILogger log, int group, ulong epoch, string peer, Lsn before, Lsn after);

    [LoggerMessage(7, LogLevel.Warning, "group {Group}: writer of epoch {Epoch} is fenced; epoch {Current} is obeyed")]
    public static partial void Fenced(this ILogger log, int group, ulong epoch, ulong current);

    [LoggerMessage(8, LogLevel.Error, "group {Group}: corruption found in {Where}: {What}")]
    public static partial void CorruptionFound(this ILogger log, int group, string where, string what);

    [LoggerMessage(9, LogLevel.Warning, "group {Group}: corruption repaired: {What}")]
    public static partial void CorruptionRepaired(this ILogger log, int group, string what);

    [LoggerMessage(10, LogLevel.Error, "group {Group}: the log cannot be written and is retried: {Error}")]
    public static partial void LogFailing(this ILogger log, int group, string error);

    [LoggerMessage(11, LogLevel.Information, "group {Group}: the log can be written again")]
    public static partial void LogWorking(this ILogger log, int group);

    [LoggerMessage(12, LogLevel.Error, "group {Group}: applying stopped after {Applied}: {Error}")]
    public static partial void ApplyFailed(this ILogger log, int group, Lsn applied, string error);

    [LoggerMessage(13, LogLevel.Information, "group {Group}: fetched {Frames} frames from {Peer}; scl {Before} → {After}")]
    public static partial void CaughtUp(this ILogger log, int group, int frames, string peer, Lsn before, Lsn after);

    [LoggerMessage(14, LogLevel.Warning, "group {Group}: rebuilding from {Peer}: no peer's log reaches back to {Scl}, where this copy ends, or its page store is damaged")]
    public static partial void RebuildBegun(this ILogger log, int group, string peer, Lsn scl);

    [LoggerMessage(15, LogLevel.Information, "group {Group}: rebuilt at {At} from {Peer}, {Bytes} bytes")]
    public static partial void Rebuilt(this ILogger log, int group, Lsn at, string peer, long bytes);

    [LoggerMessage(16, LogLevel.Debug, "group {Group}: peer {Peer} could not be asked: {Error}")]
    public static partial void PeerFailed(this ILogger log, int group, string peer, string error);

    [LoggerMessage(17, LogLevel.Warning, "group {Group}: this copy is new but the volume is not: it joins after catching up to {Target}")]
    public static partial void Rejoining(this ILogger log, int group, Lsn target);

    [LoggerMessage(18, LogLevel.Information, "group {Group}: joined the volume at scl {Scl}")]
    public static partial void Joined(this ILogger log, int group, Lsn scl);

    [LoggerMessage(19, LogLevel.Error, "group {Group}: log of epoch {Epoch} contradicts what is stored: {Error}")]
    public static partial void Contradiction(this ILogger log, int group, ulong epoch, string error);

    [LoggerMessage(20, LogLevel.Information, "group {Group}: removed log up to {Base}, {Bytes} bytes are left")]
    public static partial void LogTrimmed(this ILogger log, int group, Lsn @base, long bytes);

    [LoggerMessage(21, LogLevel.Information, "group {Group}: an unfinished import was truncated; starting empty")]
    public static partial void ImportReset(this ILogger log, int group);

    [LoggerMessage(22, LogLevel.Warning, "drill: {What}")]
    public static partial void Drill(this ILogger log, string what);

    [LoggerMessage(23, LogLevel.Warning, "group {Group}: background work failed and goes on later: {Error}")]
    public static partial void BackgroundFailed(this ILogger log, int group, string error);

    [LoggerMessage(24, LogLevel.Error, "{Method} failed")]
    public static partial void CallFailed(this ILogger log, string method, Exception error);

    [LoggerMessage(25, LogLevel.Warning, "a stream was refused or broken off: {Reason}")]
    public static partial void StreamRefused(this ILogger log, string reason);

    [LoggerMessage(26, LogLevel.Error, "a page read failed")]
    public static partial void PageReadFailed(this ILogger log, Exception error);

    [LoggerMessage(40, LogLevel.Warning, "{Count} connection(s) were refused since the last such line, the last one because {Reason}")]
    public static partial void ConnectionsRefused(this ILogger log, int count, string reason);

    [LoggerMessage(41, LogLevel.Error, "no connection can be accepted now: {Error}; it is tried again")]
    public static partial void AcceptFailing(this ILogger log, string error);

    [LoggerMessage(42, LogLevel.Error, "a stream broke on an error that nobody expected")]
    public static partial void StreamFailed(this ILogger log, Exception error);

    [LoggerMessage(43, LogLevel.Error, "background thread {Thread} failed and goes on")]
    public static partial void ThreadFailed(this ILogger log, string thread, Exception error);

    [LoggerMessage(44, LogLevel.Warning, "this process may open {Descriptors} files and sockets: at most {Connections} connections are served (REDOUBT_MAX_CONNECTIONS)")]
    public static partial void FewDescriptors(this ILogger log, int descriptors, int connections);
}
