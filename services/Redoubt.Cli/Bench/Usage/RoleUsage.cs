namespace Redoubt.Cli.Bench.Usage;

/// <summary>What the processes of one role used.</summary>
/// <param name="CpuSeconds">Processor time.</param>
/// <param name="Switches">Context switches, voluntary (somebody waited and was woken) and not.</param>
internal readonly record struct RoleUsage(double CpuSeconds, double Switches)
{
    public static RoleUsage operator +(RoleUsage a, RoleUsage b) => new(a.CpuSeconds + b.CpuSeconds, a.Switches + b.Switches);
}
