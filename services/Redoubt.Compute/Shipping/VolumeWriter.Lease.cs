using Redoubt.Compute.Runtime;

namespace Redoubt.Compute.Shipping;

/// <summary>
/// The lease [I]: who writes is believed only while so many copies of every group have lately confirmed its epoch that no other writer can have opened
/// the volume without one of them: copies - write quorum + 1. Reads need no more than that, commits a write quorum.
/// </summary>
public sealed partial class VolumeWriter
{
    private ulong _leaseUntilMs;
    private bool _leaseLost;

    /// <summary>How long after a confirmation this writer may be believed, ms.</summary>
    public required int LeaseMs { get; init; }

    /// <summary>Called with the end of the lease (ms of <see cref="BootClock"/>) whenever it moved on.</summary>
    public Action<ulong>? LeaseMoved { get; set; }

    /// <summary>Called once, with the reason, when the lease ran out after it was held.</summary>
    public Action<string>? LeaseLost { get; set; }

    /// <summary>End of the lease, ms of <see cref="BootClock"/>; 0: it was never held.</summary>
    public ulong LeaseUntilMs => Volatile.Read(ref _leaseUntilMs);

    /// <summary>When the epoch was last confirmed by enough copies of a group, ms; 0: not yet.</summary>
    /// <param name="confirmed">When each copy confirmed it last; 0: never. Is sorted.</param>
    /// <param name="copies">How many must have.</param>
    internal static ulong ConfirmedByEnough(Span<ulong> confirmed, int copies)
    {
        confirmed.Sort();
        return confirmed[^copies];
    }

    private void KeepLease()
    {
        int enough = _shape.Copies - _shape.WriteQuorum + 1;
        ulong oldest = ulong.MaxValue;
        int weakest = 0;
        Span<ulong> confirmed = stackalloc ulong[_shape.Copies];
        for (int g = 0; g < _streams.Length; g++)
        {
            for (int copy = 0; copy < confirmed.Length; copy++)
            {
                confirmed[copy] = _streams[g][copy].ConfirmedMs;
            }

            ulong at = ConfirmedByEnough(confirmed, enough);
            (oldest, weakest) = at < oldest ? (at, g) : (oldest, weakest);
        }

        if (oldest == 0 || _leaseLost)
        {
            return;
        }

        ulong until = oldest + (ulong)LeaseMs;
        if (until > _leaseUntilMs)
        {
            Volatile.Write(ref _leaseUntilMs, until);
            LeaseMoved?.Invoke(until);
        }
        else if (BootClock.NowMs > _leaseUntilMs)
        {
            _leaseLost = true;
            int answer = _streams[weakest].Count(s => s.IsConnected && s.ConfirmedMs + (ulong)LeaseMs > BootClock.NowMs);
            LeaseLost?.Invoke(
                $"fewer than {enough} copies of group {weakest} have confirmed epoch {Volume.Epoch} for {LeaseMs} ms ({answer} of {_shape.Copies} do), so another primary may have the volume");
        }
    }
}
