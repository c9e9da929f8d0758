namespace Redoubt.Storage.Chain;

/// <summary>The part of one stored frame that counts: its entries after <see cref="From"/>, up to and including <see cref="To"/>.</summary>
/// <param name="From">Chain predecessor of the first entry that counts.</param>
/// <param name="End">Where the entries that count end; a record that ends at or below <see cref="From"/> is none of them.</param>
/// <param name="Epoch">Epoch of the writer that made the frame.</param>
/// <param name="At">Where the whole frame lies.</param>
public readonly record struct LogRun(ulong From, ChainEnd End, ulong Epoch, LogAddress At)
{
    /// <summary>End of the last entry that counts.</summary>
    public ulong To => End.To;

    /// <summary>True when a record ends in it.</summary>
    public bool EndsAnyRecord => End.RecordEnd > From;
}
