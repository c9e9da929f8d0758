namespace Redoubt.Compute.Volume;

/// <summary>A newer writer has opened the volume. This one must stop at once and may not acknowledge anything.</summary>
public sealed class FencedException(ulong epoch, ulong newer, string segment)
    : Exception($"epoch {epoch} is fenced: {segment} obeys epoch {newer}")
{
    /// <summary>This writer's epoch.</summary>
    public ulong Epoch { get; } = epoch;

    /// <summary>The newer writer's.</summary>
    public ulong Newer { get; } = newer;
}
