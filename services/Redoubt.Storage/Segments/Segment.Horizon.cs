using Redoubt.Wal;

namespace Redoubt.Storage.Segments;

/// <content>The collecting horizon: persisted before anything below it goes, and never back.</content>
internal sealed partial class Segment
{
    private readonly List<ulong> _pins = [];
    private ulong _heardHorizon;
    private DateTime _lastHorizon = DateTime.MinValue;

    private void HearHorizon(ulong epoch, ulong horizon)
    {
        if (epoch == _core.Epochs.Epoch && _core.Epochs.IsSettled && horizon <= Math.Max(_core.Vdl, 1))
        {
            _heardHorizon = Math.Max(_heardHorizon, horizon);
        }
    }

    private void PersistHorizon()
    {
        lock (_gate)
        {
            // A read in progress keeps what it reads.
            ulong horizon = _pins.Count == 0 ? _heardHorizon : Math.Min(_heardHorizon, _pins.Min());

            // In steps: persisting is an fsync, and collecting a little later costs nothing.
            if (horizon > _file.Horizon && (horizon - _file.Horizon > 16 << 20 || DateTime.UtcNow - _lastHorizon > TimeSpan.FromSeconds(30)))
            {
                _lastHorizon = DateTime.UtcNow;
                Persist(_file with { Horizon = horizon });
            }
        }
    }

    /// <summary>Checks a read point, and holds the horizon at or below it until <see cref="Unpin"/>.</summary>
    private void Pin(ulong readPoint)
    {
        RequireAboveHorizon(readPoint);
        _pins.Add(readPoint);
    }

    private void Unpin(ulong readPoint)
    {
        lock (_gate)
        {
            _pins.Remove(readPoint);
        }
    }

    private void RequireAboveHorizon(ulong readPoint)
    {
        if (readPoint < _file.Horizon)
        {
            throw new HorizonException(
                $"{_options.Name} group {Group} keeps versions from {new Lsn(_file.Horizon)} on, the read asks for {new Lsn(readPoint)}");
        }
    }
}
