using System.Collections.Concurrent;
using Redoubt.Operator.Planning;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Reconcile;

/// <summary>
/// What the API server refuses, per cluster. A refused step is not tried again before its pause is over, whatever wakes the cluster meanwhile;
/// the pause grows to minutes. A step that asks for something else than before is tried at once.
/// </summary>
public sealed class Refusals(TimeProvider time)
{
    private static readonly TimeSpan First = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);
    private readonly ConcurrentDictionary<(ObjectKey Cluster, string Subject), Entry> entries = new();

    /// <summary>Whether a step was refused and its pause is not over.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="subject">See <see cref="Refusal.Subject"/>.</param>
    /// <param name="wish">What is asked for, in some form that differs when something else is.</param>
    public bool Stands(ObjectKey cluster, string subject, string wish) =>
        entries.TryGetValue((cluster, subject), out var entry) && entry.Wish == wish && time.GetUtcNow() < entry.Until;

    /// <summary>Remembers a refusal.</summary>
    public void Add(ObjectKey cluster, string subject, string wish, KubeApiException error)
    {
        var times = entries.TryGetValue((cluster, subject), out var old) && old.Wish == wish ? old.Refusal.Times + 1 : 1;
        var pause = First * Math.Pow(2.5, Math.Min(times - 1, 8));
        pause = (pause < Longest ? pause : Longest) * (0.9 + (0.2 * Random.Shared.NextDouble()));
        entries[(cluster, subject)] = new Entry(wish, time.GetUtcNow() + pause, new Refusal(subject, times, error));
    }

    /// <summary>The step was done, or is not asked for any more.</summary>
    public void Remove(ObjectKey cluster, string subject) => entries.TryRemove((cluster, subject), out _);

    /// <summary>All of a cluster, in the order of their subjects.</summary>
    public IReadOnlyList<Refusal> Of(ObjectKey cluster) =>
        [.. entries.Where(e => e.Key.Cluster == cluster).Select(e => e.Value.Refusal).OrderBy(r => r.Subject, StringComparer.Ordinal)];

    /// <summary>How long until the next step of a cluster may be tried again; null when nothing is refused.</summary>
    public TimeSpan? NextTry(ObjectKey cluster)
    {
        var open = entries.Where(e => e.Key.Cluster == cluster).Select(e => e.Value.Until).ToList();
        return open.Count == 0 ? null : open.Min() - time.GetUtcNow() is var left && left > TimeSpan.FromMilliseconds(50) ? left : TimeSpan.FromMilliseconds(50);
    }

    /// <summary>Keeps only what is still asked for.</summary>
    public void Keep(ObjectKey cluster, IReadOnlySet<string> subjects)
    {
        foreach (var key in entries.Keys.Where(k => k.Cluster == cluster && !subjects.Contains(k.Subject)))
        {
            entries.TryRemove(key, out _);
        }
    }

    private sealed record Entry(string Wish, DateTimeOffset Until, Refusal Refusal);
}
