using Redoubt.Wal;

namespace Redoubt.Compute;

/// <summary>Everything the agent says, one line per event.</summary>
internal static partial class LogMessages
{
    [LoggerMessage(1, LogLevel.Information, "Opening volume {Volume} ({Shape}), PostgreSQL {Version}")]
    public static partial void Opening(this ILogger logger, string volume, string shape, int version);

    [LoggerMessage(2, LogLevel.Warning, "Waiting for storage: {Missing}")]
    public static partial void WaitingForStorage(this ILogger logger, string missing);

    [LoggerMessage(3, LogLevel.Debug, "No answer: {Detail}")]
    public static partial void NoAnswer(this ILogger logger, string detail);

    [LoggerMessage(4, LogLevel.Information, "Another writer is opening the volume; trying again with a higher epoch: {Detail}")]
    public static partial void Raced(this ILogger logger, string detail);

    [LoggerMessage(5, LogLevel.Information, "Epoch {Epoch}: the log ends at {Vdl}")]
    public static partial void Recovered(this ILogger logger, ulong epoch, Lsn vdl);

    [LoggerMessage(6, LogLevel.Information, "{Segment} group {Group} is at {Scl}, catching up to {Target}")]
    public static partial void CatchingUp(this ILogger logger, string segment, int group, Lsn scl, Lsn target);

    [LoggerMessage(7, LogLevel.Warning, "{Segment} group {Group}: the log's stream is down: {Detail}")]
    public static partial void SegmentLost(this ILogger logger, string segment, int group, string detail);

    [LoggerMessage(8, LogLevel.Information, "{Segment} group {Group}: the log's stream is up")]
    public static partial void SegmentConnected(this ILogger logger, string segment, int group);

    [LoggerMessage(9, LogLevel.Warning, "{WindowMb} MiB of log wait for a write quorum; reading PostgreSQL's log pauses")]
    public static partial void LogWindowFull(this ILogger logger, long windowMb);

    [LoggerMessage(10, LogLevel.Warning, "{First} ({Count} pages) not served: {Detail}")]
    public static partial void PagesUnavailable(this ILogger logger, PageKey first, int count, string detail);

    [LoggerMessage(26, LogLevel.Error, "A page request failed")]
    public static partial void PageServerFailed(this ILogger logger, Exception error);

    [LoggerMessage(11, LogLevel.Information, "Killed {Count} process(es) that an earlier run left behind")]
    public static partial void KilledLeftovers(this ILogger logger, int count);

    [LoggerMessage(12, LogLevel.Information, "New volume: importing a fresh cluster made by initdb")]
    public static partial void Importing(this ILogger logger);

    [LoggerMessage(13, LogLevel.Information, "Data directory of {Files} files at {Lsn} written in {Ms} ms")]
    public static partial void Bootstrapped(this ILogger logger, int files, Lsn lsn, long ms);

    [LoggerMessage(14, LogLevel.Information, "Ready: postgres {Pid} accepts connections on port {Port}, epoch {Epoch}, {Ms} ms after the start ({Stages})")]
    public static partial void Ready(this ILogger logger, int pid, int port, ulong epoch, long ms, string stages);

    [LoggerMessage(15, LogLevel.Warning, "{Detail}")]
    public static partial void Warn(this ILogger logger, string detail);

    [LoggerMessage(16, LogLevel.Warning, "Parameter is not taken: {Parameter}")]
    public static partial void ParameterRefused(this ILogger logger, string parameter);

    [LoggerMessage(17, LogLevel.Error, "Fenced: {Detail}; postgres is killed")]
    public static partial void Fenced(this ILogger logger, string detail);

    [LoggerMessage(18, LogLevel.Error, "PostgreSQL's log cannot be stored: {Detail}; postgres is killed, nothing from here on was acknowledged")]
    public static partial void LogBroken(this ILogger logger, string detail);

    [LoggerMessage(28, LogLevel.Error, "Isolated: {Detail}; connections are closed until storage answers")]
    public static partial void Isolated(this ILogger logger, string detail);

    [LoggerMessage(19, LogLevel.Error, "{Words}; starting again from storage in {Ms} ms")]
    public static partial void PostgresDied(this ILogger logger, string words, long ms);

    [LoggerMessage(20, LogLevel.Information, "Stopping postgres")]
    public static partial void Stopping(this ILogger logger);

    [LoggerMessage(21, LogLevel.Information, "Stopped; the log is durable to {Vdl}")]
    public static partial void Stopped(this ILogger logger, Lsn vdl);

    [LoggerMessage(22, LogLevel.Warning, "postgres did not stop within {Ms} ms; killed")]
    public static partial void StopTimedOut(this ILogger logger, int ms);

    [LoggerMessage(23, LogLevel.Information, "Parameters reloaded; waiting for a restart: {Pending}")]
    public static partial void Reloaded(this ILogger logger, string pending);

    [LoggerMessage(24, LogLevel.Error, "{Detail}")]
    public static partial void Failed(this ILogger logger, string detail);

    [LoggerMessage(27, LogLevel.Warning, "postgres is killed: no write quorum answers, and {Commits} commit(s) wait for one; they were not acknowledged")]
    public static partial void StoppedWithoutQuorum(this ILogger logger, long commits);

    [LoggerMessage(25, LogLevel.Debug, "Cannot get the bootstrap from {Segment}: {Detail}")]
    public static partial void BootstrapRetry(this ILogger logger, string segment, string detail);

    [LoggerMessage(40, LogLevel.Error, "A PostgreSQL process's connection for pages was refused, and its read fails: {Why}")]
    public static partial void PageConnectionRefused(this ILogger logger, string why);

    [LoggerMessage(41, LogLevel.Error, "The agent ends because of an error that nobody expected; please report it")]
    public static partial void Unexpected(this ILogger logger, Exception error);

    [LoggerMessage(29, LogLevel.Warning, "{Problem}")]
    public static partial void AdministrationFailed(this ILogger logger, string problem);

    [LoggerMessage(30, LogLevel.Warning, "Nobody may log in ({Refusal}): giving the bootstrap superuser its login back in single-user mode")]
    public static partial void LockedOut(this ILogger logger, string refusal);
}
