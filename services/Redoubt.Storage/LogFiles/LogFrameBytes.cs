using Redoubt.Storage.Chain;

namespace Redoubt.Storage.LogFiles;

/// <summary>A frame found in a log file.</summary>
/// <param name="Epoch">Its writer's epoch.</param>
/// <param name="From">PrevEnd of its first entry.</param>
/// <param name="Marks">Its entries; null when they have not been read.</param>
/// <param name="End">Where they end.</param>
/// <param name="At">Where it lies.</param>
internal readonly record struct LogFrameBytes(ulong Epoch, ulong From, EntryMark[]? Marks, ChainEnd End, LogAddress At);
