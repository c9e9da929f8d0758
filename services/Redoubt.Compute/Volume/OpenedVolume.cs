using Redoubt.Protocol.V1;

namespace Redoubt.Compute.Volume;

/// <summary>A volume opened by this writer: everything up to <see cref="End"/> is on a write quorum of every group, and nothing above it anywhere
/// that obeys <see cref="Epoch"/>.</summary>
/// <param name="Epoch">Granted by a write quorum of every group.</param>
/// <param name="End">Where the log ends.</param>
/// <param name="Histories">Per group: every truncation in force, this epoch's last.</param>
public sealed record OpenedVolume(ulong Epoch, RecoveredEnd End, IReadOnlyList<IReadOnlyList<Truncation>> Histories)
{
    /// <summary>True when nothing was ever finished here: an import must come first.</summary>
    public bool IsNew => End.Vdl < VdlRecovery.FirstRecord;
}
