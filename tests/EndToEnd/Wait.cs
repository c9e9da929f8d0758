using System.Diagnostics;

namespace Redoubt.EndToEnd;

/// <summary>Waits for a condition with a deadline.</summary>
internal static class Wait
{
    /// <summary>Asks ten times a second; errors of the way there count as "not yet".</summary>
    /// <exception cref="TimeoutException">Not in time; the message holds what <paramref name="state"/> says.</exception>
    public static async Task UntilAsync(Func<Task<bool>> condition, TimeSpan limit, Func<Task<string>> state)
    {
        var clock = Stopwatch.StartNew();
        Exception? last = null;
        while (clock.Elapsed < limit)
        {
            try
            {
                if (await condition())
                {
                    return;
                }
            }
            catch (Exception e) when (e is k8s.Autorest.HttpOperationException or HttpRequestException or IOException or Npgsql.NpgsqlException or TaskCanceledException)
            {
                last = e;
            }
            await Task.Delay(100);
        }
        throw new TimeoutException($"not within {limit.TotalSeconds:0} s: {await state()} {last?.Message}");
    }
}
