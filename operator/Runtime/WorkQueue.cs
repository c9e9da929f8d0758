using System.Diagnostics.CodeAnalysis;

namespace Redoubt.Operator.Runtime;

/// <summary>
/// Keys that want work. A key is in the queue at most once, is handed to one worker at a time, and comes back when it was
/// added again meanwhile; so the queue never holds more than there are keys. Failures back off per key.
/// </summary>
[SuppressMessage("Naming", "CA1711:Identifiers should not have incorrect suffix", Justification = "It is a queue.")]
public sealed class WorkQueue<TKey>(TimeProvider time, TimeSpan firstDelay, TimeSpan longestDelay)
    where TKey : notnull
{
    private readonly Lock gate = new();
    private readonly Queue<TKey> ready = new();
    private readonly HashSet<TKey> dirty = [];
    private readonly HashSet<TKey> working = [];
    private readonly Dictionary<TKey, int> failures = [];
    private readonly Dictionary<TKey, (DateTimeOffset Due, ITimer Timer)> later = [];
    private readonly SemaphoreSlim available = new(0);

    /// <summary>Keys that wait and are due.</summary>
    public int Count
    {
        get
        {
            lock (gate)
            {
                return ready.Count;
            }
        }
    }

    /// <summary>Wants work on a key now.</summary>
    public void Add(TKey key)
    {
        lock (gate)
        {
            if (!dirty.Add(key) || working.Contains(key))
            {
                return;
            }

            ready.Enqueue(key);
        }

        available.Release();
    }

    /// <summary>Wants work on a key after a delay; the earliest of several wishes counts.</summary>
    public void AddAfter(TKey key, TimeSpan delay)
    {
        if (delay <= TimeSpan.Zero)
        {
            Add(key);
            return;
        }

        var due = time.GetUtcNow() + delay;
        lock (gate)
        {
            if (later.TryGetValue(key, out var other))
            {
                if (other.Due <= due)
                {
                    return;
                }

                other.Timer.Dispose();
            }

            later[key] = (due, time.CreateTimer(_ => Due(key, due), null, delay, Timeout.InfiniteTimeSpan));
        }
    }

    /// <summary>Wants work on a key that has failed, after its back-off.</summary>
    /// <returns>The back-off.</returns>
    public TimeSpan AddRateLimited(TKey key)
    {
        int count;
        lock (gate)
        {
            count = failures.GetValueOrDefault(key);
            failures[key] = count + 1;
        }

        var delay = firstDelay * Math.Pow(2, Math.Min(count, 20));
        delay = delay < longestDelay ? delay : longestDelay;
        AddAfter(key, delay);
        return delay;
    }

    /// <summary>The key has succeeded; its back-off starts anew.</summary>
    public void Forget(TKey key)
    {
        lock (gate)
        {
            failures.Remove(key);
        }
    }

    /// <summary>Takes the next key; call <see cref="Done"/> when through with it.</summary>
    public async Task<TKey> TakeAsync(CancellationToken cancel)
    {
        await available.WaitAsync(cancel);
        lock (gate)
        {
            var key = ready.Dequeue();
            dirty.Remove(key);
            working.Add(key);
            return key;
        }
    }

    /// <summary>The work on a key is over.</summary>
    public void Done(TKey key)
    {
        lock (gate)
        {
            working.Remove(key);
            if (!dirty.Contains(key))
            {
                return;
            }

            ready.Enqueue(key);
        }

        available.Release();
    }

    private void Due(TKey key, DateTimeOffset due)
    {
        lock (gate)
        {
            if (!later.TryGetValue(key, out var entry) || entry.Due != due)
            {
                return;
            }

            later.Remove(key);
            entry.Timer.Dispose();
        }

        Add(key);
    }
}
