namespace Redoubt.Storage.Chain;

/// <summary>What a segment must never forget about writers. Immutable; persisted before it takes effect.</summary>
/// <param name="Epoch">Highest epoch granted or learned; lower and equal ones are refused for ever.</param>
/// <param name="History">Truncations known.</param>
public sealed record EpochState(ulong Epoch, TruncationHistory History)
{
    /// <summary>A segment that never heard of a writer.</summary>
    public static readonly EpochState Blank = new(0, TruncationHistory.Empty);

    /// <summary>True when the truncation of the epoch that is obeyed is known. Until then the segment's chain may hold entries that recovery
    /// is about to cut off: it takes no log of that epoch and serves no page.</summary>
    public bool IsSettled => Epoch != 0 && History.LastEpoch == Epoch;

    /// <summary>The state after granting <paramref name="epoch"/>.</summary>
    /// <exception cref="EpochRefusedException">It is not higher than every epoch before.</exception>
    public EpochState Grant(ulong epoch) => epoch > Epoch
        ? this with { Epoch = epoch }
        : throw new EpochRefusedException(Epoch, $"epoch {epoch} is refused: epoch {Epoch} was granted before");

    /// <summary>The state after recovery under <paramref name="point"/>'s epoch has spoken.</summary>
    /// <exception cref="EpochRefusedException">A newer epoch is obeyed.</exception>
    /// <exception cref="ChainException">The same epoch has truncated elsewhere already.</exception>
    public EpochState Truncate(TruncationPoint point, IEnumerable<TruncationPoint> earlier)
    {
        if (point.Epoch < Epoch)
        {
            throw new EpochRefusedException(Epoch, $"truncation of epoch {point.Epoch} is refused: epoch {Epoch} is obeyed");
        }

        if (History.LastEpoch == point.Epoch)
        {
            return History.Points[^1] == point
                ? this
                : throw new ChainException($"epoch {point.Epoch} truncated at {History.Points[^1].Above:X} before and says {point.Above:X} now");
        }

        return new EpochState(point.Epoch, TruncationHistory.Declare(earlier, point));
    }

    /// <summary>The state after a peer told its history; null when that changes nothing.</summary>
    /// <remarks>While a granted epoch's own truncation is awaited, older histories are not taken: what recovery was told about this segment
    /// must stay true until it has decided.</remarks>
    public EpochState? Learn(TruncationHistory peers) =>
        peers.LastEpoch > History.LastEpoch && peers.LastEpoch >= Epoch ? new EpochState(peers.LastEpoch, peers) : null;
}
