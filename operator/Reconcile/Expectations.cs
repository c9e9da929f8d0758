using System.Collections.Concurrent;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Reconcile;

/// <summary>
/// What the operator has written and not yet seen in its caches, per cluster. A cluster is not planned again before its own
/// writes are visible; otherwise a pod that was just created would look missing.
/// </summary>
public sealed class Expectations(TimeProvider time)
{
    /// <summary>After this the caches are believed anyway: the watch may have been dropped and be on its way back.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<ObjectKey, (DateTimeOffset Since, List<Func<bool>> Open)> pending = new();

    /// <summary>Adds something that will become true when the caches catch up.</summary>
    public void Expect(ObjectKey cluster, Func<bool> visible)
    {
        var entry = pending.GetOrAdd(cluster, _ => (time.GetUtcNow(), []));
        lock (entry.Open)
        {
            entry.Open.Add(visible);
        }
    }

    /// <summary>Whether everything that was written is visible, or has been waited for long enough.</summary>
    public bool AreMet(ObjectKey cluster)
    {
        if (!pending.TryGetValue(cluster, out var entry))
        {
            return true;
        }

        lock (entry.Open)
        {
            if (entry.Open.All(visible => visible()) || time.GetUtcNow() - entry.Since > Patience)
            {
                pending.TryRemove(cluster, out _);
                return true;
            }

            return false;
        }
    }

    public void Forget(ObjectKey cluster) => pending.TryRemove(cluster, out _);
}
