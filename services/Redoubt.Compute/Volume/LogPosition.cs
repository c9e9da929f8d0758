using Redoubt.Protocol;

namespace Redoubt.Compute.Volume;

/// <summary>A log entry without its body: what recovery needs to know.</summary>
/// <param name="Start">First byte of the record.</param>
/// <param name="End">End of the record, or the position inside it that the part reaches.</param>
/// <param name="PrevEnd">End of the group's entry before it.</param>
/// <param name="GroupMask">Groups it belongs to; 0: only the one it was found in.</param>
/// <param name="Kind">Record, part of one, or import.</param>
public readonly record struct LogPosition(ulong Start, ulong End, ulong PrevEnd, ulong GroupMask, LogEntryKind Kind);
