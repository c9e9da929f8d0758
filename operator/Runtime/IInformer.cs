namespace Redoubt.Operator.Runtime;

/// <summary>What an informer of any kind can do.</summary>
public interface IInformer
{
    /// <summary>Completes when the first list is in the cache.</summary>
    Task Synced { get; }

    /// <summary>Lists and watches until cancelled; errors of the server and the network are logged and retried.</summary>
    Task RunAsync(CancellationToken cancel);
}
