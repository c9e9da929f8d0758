using System.Collections.Concurrent;

namespace Redoubt.Operator.Runtime;

/// <summary>Keeps a log from saying the same thing again and again: said once, then counted and said again with the count every ten minutes.</summary>
public sealed class Repeats(TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(10);
    private readonly ConcurrentDictionary<string, (string Message, DateTimeOffset Said, int Times)> last = new();

    /// <param name="subject">What the message is about; one message is remembered for each.</param>
    /// <param name="message">What would be said.</param>
    /// <param name="times">How often it has come up since it was last said, this time included.</param>
    public bool IsWorthSaying(string subject, string message, out int times)
    {
        var now = time.GetUtcNow();
        var entry = last.AddOrUpdate(
            subject,
            _ => (message, now, 0),
            (_, old) => old.Message != message ? (message, now, 0) : old with { Times = old.Times + 1 });
        times = entry.Times + 1;
        if (entry.Times == 0)
        {
            return true;
        }

        if (now - entry.Said < Pause)
        {
            return false;
        }

        last[subject] = (message, now, 1);
        return true;
    }

    /// <summary>What was wrong is over; the next time it is news.</summary>
    public void Forget(string subject) => last.TryRemove(subject, out _);
}
