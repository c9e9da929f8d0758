namespace Redoubt.Storage.LogFiles;

/// <summary>A frame of a log file without its entries.</summary>
/// <param name="Epoch">Its writer's epoch.</param>
/// <param name="From">PrevEnd of its first entry.</param>
/// <param name="LastStart">Start of its last entry.</param>
/// <param name="End">End of its last entry.</param>
/// <param name="Offset">Where its bytes begin in the file.</param>
/// <param name="Length">Its bytes.</param>
internal readonly record struct IndexedFrame(ulong Epoch, ulong From, ulong LastStart, ulong End, int Offset, int Length);
