using Redoubt.Wal;

namespace Redoubt.Compute.Volume;

/// <summary>What <see cref="VolumeOpener"/> has to say while it works.</summary>
public interface IVolumeOpenerEvents
{
    void WaitingForQuorum(string missing);

    void NoAnswer(string detail);

    void Raced(string detail);

    void Recovered(ulong epoch, Lsn vdl);

    void CatchingUp(string segment, int group, Lsn scl, Lsn target);
}
