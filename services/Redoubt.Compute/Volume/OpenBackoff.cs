namespace Redoubt.Compute.Volume;

/// <summary>
/// Delays between attempts to win a volume: each time twice as long as before up to a limit, and spread at random over the upper half, so that two
/// writers that collide once do not collide for ever.
/// </summary>
public sealed class OpenBackoff(TimeSpan first, TimeSpan longest, Random random)
{
    private TimeSpan _next = first;

    /// <summary>How long to wait now.</summary>
    public TimeSpan Next()
    {
        var delay = _next * (0.5 + (random.NextDouble() / 2));
        _next = _next * 2 < longest ? _next * 2 : longest;
        return delay;
    }
}
