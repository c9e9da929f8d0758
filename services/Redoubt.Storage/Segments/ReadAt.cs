using System.Diagnostics;

namespace Redoubt.Storage.Segments;

/// <summary>Where a read of pages is.</summary>
/// <param name="Epoch">The reader's.</param>
/// <param name="ReadPoint">Newest version at or below it.</param>
/// <param name="CompleteAt">The segment must be complete and applied to there.</param>
/// <param name="Trace">The reader's span; default: none.</param>
internal readonly record struct ReadAt(ulong Epoch, ulong ReadPoint, ulong CompleteAt, ActivityContext Trace = default);
