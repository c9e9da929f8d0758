using Redoubt.Storage.Chain;

namespace Redoubt.Storage.LogFiles;

/// <summary>A frame of a log file without its entries.</summary>
/// <param name="Epoch">Its writer's epoch.</param>
/// <param name="From">PrevEnd of its first entry.</param>
/// <param name="End">Where its entries end.</param>
/// <param name="Offset">Where its bytes begin in the file.</param>
/// <param name="Length">Its bytes.</param>
internal readonly record struct IndexedFrame(ulong Epoch, ulong From, ChainEnd End, int Offset, int Length);
