using System.Diagnostics;

namespace Redoubt.Compute.Runtime;

/// <summary>The agent's traces: a span per shipment of log and per page request, when somebody listens.</summary>
public static class Tracing
{
    public const string SourceName = "Redoubt.Compute";

    public static readonly ActivitySource Source = new(SourceName);

    /// <summary>Records a span that has just ended.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="began"><see cref="Stopwatch"/> ticks when it began.</param>
    /// <param name="ended">Ticks when it ended.</param>
    /// <param name="tag">Name of a number to keep with it.</param>
    /// <param name="value">The number.</param>
    public static void Record(string name, long began, long ended, string tag, long value)
    {
        if (!Source.HasListeners())
        {
            return;
        }

        var now = DateTimeOffset.UtcNow;
        var start = now - Stopwatch.GetElapsedTime(began);
        using var activity = Source.StartActivity(ActivityKind.Internal, startTime: start, name: name);
        activity?.SetTag(tag, value);
        activity?.SetEndTime((start + Stopwatch.GetElapsedTime(began, ended)).UtcDateTime);
    }
}
