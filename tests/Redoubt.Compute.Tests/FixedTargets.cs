using Redoubt.Compute.Pages;

namespace Redoubt.Compute.Tests;

/// <summary>Always the same segments, in this order.</summary>
internal sealed class FixedTargets(params ReadTarget[] targets) : IReadTargets
{
    public ulong Epoch => 1;

    public ulong ReadPoint(int group) => 8;

    public List<ReadTarget> Candidates(int group, ulong readPoint) => [.. targets];
}
