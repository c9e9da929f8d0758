namespace Redoubt.TestCluster.Api;

/// <summary>What the server does wrong on purpose. Applies to requests over HTTP only, not to the kubelet inside.</summary>
public sealed class Faults
{
    private int _failures;
    private int _code = 500;
    private Func<string, string, bool> _which = (_, _) => true;

    /// <summary>Added before each answer.</summary>
    public TimeSpan Latency { get; set; }

    /// <summary>How the server is away; null: it is there.</summary>
    public Outage? Outage
    {
        get;
        set
        {
            field = value;
            if (value is null)
            {
                Interlocked.Exchange(ref _over, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
            }
        }
    }

    /// <summary>Completes when the outage of now is over.</summary>
    internal Task Over => Volatile.Read(ref _over).Task;

    private TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Answers the next requests with an error.</summary>
    /// <param name="count">How many.</param>
    /// <param name="code">5xx.</param>
    /// <param name="which">(method, path) of those to hit; null: all.</param>
    public void FailNext(int count, int code = 500, Func<string, string, bool>? which = null)
    {
        _which = which ?? ((_, _) => true);
        _code = code;
        Interlocked.Exchange(ref _failures, count);
    }

    /// <summary>The error to answer this request with, or null.</summary>
    internal int? Take(string method, string path)
    {
        if (Volatile.Read(ref _failures) <= 0 || !_which(method, path))
        {
            return null;
        }
        return Interlocked.Decrement(ref _failures) >= 0 ? _code : null;
    }
}
