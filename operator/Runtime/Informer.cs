using System.Collections.Concurrent;
using System.Collections.Immutable;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;

namespace Redoubt.Operator.Runtime;

/// <summary>
/// Keeps a copy of all objects of one kind: list once, then watch from the list's resourceVersion. A watch that ends is
/// resumed where it stopped; 410 Gone leads to a new list, whose difference to the copy is told as changes. Objects are
/// shared between readers and must not be modified.
/// </summary>
/// <param name="api">The API server.</param>
/// <param name="namespaceName">Namespace to watch, null for all.</param>
/// <param name="labelSelector">Only objects with these labels, null for all.</param>
/// <param name="ownerOf">The cluster that an object belongs to, for <see cref="OwnedBy"/>; null when to none.</param>
/// <param name="log">Where troubles are told.</param>
/// <param name="metrics">Counts lists.</param>
public sealed class Informer<T>(
    KubeApi api, string? namespaceName, string? labelSelector, Func<T, ObjectKey?> ownerOf, ILogger log, OperatorMetrics? metrics = null) : IInformer
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(4);

    private readonly Repeats repeats = new(TimeProvider.System);

    private readonly ConcurrentDictionary<ObjectKey, T> objects = new();
    private readonly ConcurrentDictionary<ObjectKey, ImmutableDictionary<ObjectKey, T>> owned = new();
    private readonly TaskCompletionSource synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ulong lastSeen;

    /// <summary>Told after the copy has changed: the object before (null when new) and after (null when deleted).</summary>
    public event Action<T?, T?>? Changed;

    public Task Synced => synced.Task;

    public T? Get(ObjectKey key) => objects.GetValueOrDefault(key);

    public IEnumerable<T> All => objects.Values;

    /// <summary>The objects of one cluster, by name.</summary>
    public IReadOnlyList<T> OwnedBy(ObjectKey cluster) =>
        owned.TryGetValue(cluster, out var found) ? [.. found.Values.OrderBy(o => o.Metadata.Name, StringComparer.Ordinal)] : [];

    /// <summary>Whether the copy is at least as new as a version that the server has told; true for a version that is no number.</summary>
    public bool HasSeen(string? resourceVersion) =>
        !ulong.TryParse(resourceVersion, out var version) || Volatile.Read(ref lastSeen) >= version;

    public async Task RunAsync(CancellationToken cancel)
    {
        string? version = null;
        var delay = FirstDelay;
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                if (version is null)
                {
                    metrics?.Relists.WithLabels(typeof(T).Name).Inc();
                    var list = await api.ListAsync<T>(namespaceName, labelSelector, cancel);
                    Replace(list.Items, list.ResourceVersion);
                    version = list.ResourceVersion;
                    synced.TrySetResult();
                }

                var began = System.Diagnostics.Stopwatch.StartNew();
                var any = false;
                await foreach (var change in api.WatchAsync<T>(namespaceName, labelSelector, version, cancel))
                {
                    any = true;
                    delay = FirstDelay;
                    version = change.Value.Metadata.ResourceVersion;
                    switch (change.Type)
                    {
                        case WatchEventKind.Bookmark:
                            See(version);
                            break;
                        case WatchEventKind.Deleted:
                            Remove(ObjectKey.Of(change.Value), version);
                            break;
                        default:
                            Put(change.Value, version);
                            break;
                    }
                }

                repeats.Forget(typeof(T).Name);
                if (any || began.Elapsed > LongestDelay)
                {
                    continue;
                }
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                break;
            }
            catch (KubeApiException e) when (e.IsGone)
            {
                Log.ListAgain(log, typeof(T).Name, version);
                version = null;
            }
            catch (Exception e)
            {
                // Whatever the server or something between sends, the next attempt may go better; nothing that is wrong with it ends the process.
                if (repeats.IsWorthSaying(typeof(T).Name, e.Message, out var times))
                {
                    Log.WatchFailed(log, typeof(T).Name, e.Message, times);
                }
            }

            try
            {
                await Task.Delay(delay * (0.5 + Random.Shared.NextDouble()), cancel);
            }
            catch (OperationCanceledException)
            {
                break;
            }

            delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay;
        }
    }

    private void Replace(IReadOnlyList<T> items, string version)
    {
        var keep = items.Select(i => ObjectKey.Of(i)).ToHashSet();
        foreach (var gone in objects.Keys.Where(k => !keep.Contains(k)).ToList())
        {
            Remove(gone, null);
        }

        foreach (var item in items)
        {
            if (objects.TryGetValue(ObjectKey.Of(item), out var old) && old.Metadata.ResourceVersion == item.Metadata.ResourceVersion)
            {
                continue;
            }

            Put(item, null);
        }

        See(version);
    }

    private void Put(T value, string? version)
    {
        var key = ObjectKey.Of(value);
        objects.TryGetValue(key, out var old);
        objects[key] = value;
        if (old is not null && ownerOf(old) is { } before && ownerOf(value) != before)
        {
            Unlink(before, key);
        }

        if (ownerOf(value) is { } owner)
        {
            owned.AddOrUpdate(owner, _ => ImmutableDictionary<ObjectKey, T>.Empty.Add(key, value), (_, d) => d.SetItem(key, value));
        }

        See(version);
        Changed?.Invoke(old, value);
    }

    private void Remove(ObjectKey key, string? version)
    {
        if (objects.TryRemove(key, out var old))
        {
            if (ownerOf(old) is { } owner)
            {
                Unlink(owner, key);
            }

            See(version);
            Changed?.Invoke(old, null);
        }
        else
        {
            See(version);
        }
    }

    private void Unlink(ObjectKey owner, ObjectKey key)
    {
        var rest = owned.AddOrUpdate(owner, _ => ImmutableDictionary<ObjectKey, T>.Empty, (_, d) => d.Remove(key));
        if (rest.IsEmpty)
        {
            owned.TryRemove(new KeyValuePair<ObjectKey, ImmutableDictionary<ObjectKey, T>>(owner, rest));
        }
    }

    private void See(string? version)
    {
        if (ulong.TryParse(version, out var number) && number > lastSeen)
        {
            Volatile.Write(ref lastSeen, number);
        }
    }
}
