namespace Redoubt.Storage.Hosting;

/// <summary>Counts the connections of peers that have said who they are, raw streams and gRPC together.</summary>
internal sealed class ServedConnections(int most, StorageMetrics metrics)
{
    private int _count;

    /// <summary>One more, unless there are as many as may be.</summary>
    public bool TryAdd()
    {
        int count = Interlocked.Increment(ref _count);
        if (count > most)
        {
            Interlocked.Decrement(ref _count);
            return false;
        }

        metrics.Connections(count);
        return true;
    }

    /// <summary>One has ended.</summary>
    public void Remove() => metrics.Connections(Interlocked.Decrement(ref _count));
}
