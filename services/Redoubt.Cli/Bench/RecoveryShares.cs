namespace Redoubt.Cli.Bench;

/// <summary>Where the time from the kill of a compute to the next commit went.</summary>
internal static class RecoveryShares
{
    private const string Total = "total";

    /// <summary>The agent's own stages, the first commit, and the rest: the kill itself, noticing it, and the start of a process.</summary>
    /// <param name="ms">From the kill to the commit.</param>
    /// <param name="commitMs">From the first answer of the server to the end of the commit.</param>
    /// <param name="stages">What the agent says of its start; <c>total</c> is their sum and a little more.</param>
    public static IEnumerable<(string Stage, double Ms)> Of(double ms, double commitMs, IReadOnlyDictionary<string, double> stages)
    {
        foreach (var (stage, took) in stages.Where(s => s.Key != Total))
        {
            yield return (stage, took);
        }

        yield return ("first commit", commitMs);
        double known = stages.TryGetValue(Total, out double total) ? total : stages.Sum(s => s.Value);
        yield return ("kill, start of the agent, waits between", Math.Max(0, ms - commitMs - known));
    }
}
