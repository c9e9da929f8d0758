namespace Redoubt.Storage.Chain;

/// <summary>The part of one stored frame that counts: its entries after <see cref="From"/>, up to and including <see cref="To"/>.</summary>
/// <param name="From">Chain predecessor of the first entry that counts.</param>
/// <param name="To">End of the last entry that counts.</param>
/// <param name="LastStart">Start of that last entry.</param>
/// <param name="Epoch">Epoch of the writer that made the frame.</param>
/// <param name="At">Where the whole frame lies.</param>
public readonly record struct LogRun(ulong From, ulong To, ulong LastStart, ulong Epoch, LogAddress At);
