namespace Redoubt.Storage.Chain;

/// <summary>A writer with an epoch that this segment no longer obeys, or has granted already.</summary>
/// <param name="current">The epoch that the segment obeys.</param>
public sealed class EpochRefusedException(ulong current, string message) : Exception(message)
{
    public ulong Current { get; } = current;
}
