namespace Redoubt.Compute.Volume;

/// <summary>Where a recovered volume's log ends.</summary>
/// <param name="Vdl">End of its last record; below <see cref="VdlRecovery.FirstRecord"/>: no finished import.</param>
/// <param name="LastStart">Start of that record; 0 when not known.</param>
/// <param name="GroupEnds">Per group: end of its last entry at or below the VDL.</param>
public sealed record RecoveredEnd(ulong Vdl, ulong LastStart, IReadOnlyList<ulong> GroupEnds);
