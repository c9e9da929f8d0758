namespace Redoubt.Storage.Hosting;

/// <summary>Counts connections that are closed before they are served, and says so now and then: whoever knocks cannot fill the log.</summary>
internal sealed class Refusals(StorageMetrics metrics, ILogger logger)
{
    /// <summary>It did not say who it is in time.</summary>
    public const string Silent = "silent";

    /// <summary>It had not said who it is, and others needed its place.</summary>
    public const string Crowded = "crowded";

    /// <summary>What it sent is no hello.</summary>
    public const string Malformed = "malformed";

    /// <summary>Its secret is missing or wrong.</summary>
    public const string Secret = "secret";

    /// <summary>As many connections as may be are served.</summary>
    public const string Full = "full";

    /// <summary>There is no thread for it.</summary>
    public const string Thread = "thread";

    /// <summary>The process stops, or a drill has partitioned it off.</summary>
    public const string Stopping = "stopping";

    private const int SayEveryMs = 10_000;
    private readonly Lock _lock = new();
    private long _saidAt = -SayEveryMs;
    private int _unsaid;

    /// <summary>Counts one.</summary>
    /// <param name="reason">One of the constants.</param>
    public void Add(string reason)
    {
        metrics.Refused(reason);
        int count;
        lock (_lock)
        {
            _unsaid++;
            long now = Environment.TickCount64;
            if (now - _saidAt < SayEveryMs)
            {
                return;
            }

            _saidAt = now;
            count = _unsaid;
            _unsaid = 0;
        }

        logger.ConnectionsRefused(count, Sentence(reason));
    }

    /// <summary>For people.</summary>
    public static string Sentence(string reason) => reason switch
    {
        Silent => "it did not say who it is in time",
        Crowded => "too many had not said who they are",
        Malformed => "what it sent is no beginning of a stream",
        Secret => "the shared secret is missing or wrong",
        Full => "as many connections as REDOUBT_MAX_CONNECTIONS allows are served",
        Thread => "the system has no thread for it",
        _ => "this process is stopping",
    };
}
