using System.Numerics;
using Redoubt.Protocol;

namespace Redoubt.Compute.Shipping;

/// <summary>
/// Turns the copies' SCLs into the VDL: the highest record end such that every record up to it is on a write quorum of every group it belongs to.
/// Pure; not thread-safe.
/// </summary>
public sealed class QuorumTracker
{
    private readonly VolumeShape _shape;
    private readonly ulong[][] _positions;
    private readonly ulong[] _durable;
    private readonly ulong[] _groupVdl;
    private readonly ulong _all;

    // Records not yet durable, oldest first: a ring that grows.
    private (ulong End, ulong Mask)[] _pending = new (ulong, ulong)[1024];
    private int _first;

    /// <param name="shape">Copies, quorums, groups.</param>
    /// <param name="vdl">Everything up to here is durable.</param>
    /// <param name="groupEnds">Per group: end of its last entry at or below that.</param>
    public QuorumTracker(VolumeShape shape, ulong vdl, IReadOnlyList<ulong> groupEnds)
    {
        _shape = shape;
        _all = new GroupRouter(shape.Groups).All;
        Vdl = vdl;
        Last = vdl;
        _groupVdl = [.. groupEnds];
        _durable = [.. groupEnds];
        _positions = [.. groupEnds.Select(_ => new ulong[shape.Copies])];
    }

    /// <summary>The volume durable LSN. Never goes back.</summary>
    public ulong Vdl { get; private set; }

    /// <summary>End of the last record added.</summary>
    public ulong Last { get; private set; }

    /// <summary>Records added that are not durable yet.</summary>
    public int PendingRecords { get; private set; }

    /// <summary>End of the group's last entry at or below the VDL.</summary>
    public ulong GroupVdl(int group) => _groupVdl[group];

    /// <summary>What a write quorum of the group has.</summary>
    public ulong GroupDurable(int group) => _durable[group];

    /// <summary>What a copy said last.</summary>
    public ulong Position(int group, int copy) => _positions[group][copy];

    /// <summary>A record goes to the groups of <paramref name="mask"/>; its copies may acknowledge it from now on.</summary>
    /// <exception cref="InvalidOperationException">It does not come after the one before, or goes nowhere.</exception>
    public void Add(ulong end, ulong mask)
    {
        if (end <= Last || mask == 0 || (mask & ~_all) != 0)
        {
            throw new InvalidOperationException($"record end {end:X} with group mask {mask:X} cannot follow {Last:X}");
        }

        Last = end;
        if (PendingRecords == _pending.Length)
        {
            var larger = new (ulong, ulong)[_pending.Length * 2];
            for (int i = 0; i < PendingRecords; i++)
            {
                larger[i] = _pending[(_first + i) & (_pending.Length - 1)];
            }

            _pending = larger;
            _first = 0;
        }

        _pending[(_first + PendingRecords++) & (_pending.Length - 1)] = (end, mask);
    }

    /// <summary>A copy's SCL is <paramref name="scl"/>; may be lower than before (a copy that lost its disk). True when the VDL moved.</summary>
    public bool Acknowledge(int group, int copy, ulong scl)
    {
        _positions[group][copy] = scl;
        ulong durable = _shape.QuorumPosition(_positions[group]);
        if (durable <= _durable[group])
        {
            return false;
        }

        _durable[group] = durable;
        ulong before = Vdl;
        while (PendingRecords > 0)
        {
            var (end, mask) = _pending[_first];
            if (!IsDurable(end, mask))
            {
                break;
            }

            for (ulong rest = mask; rest != 0; rest &= rest - 1)
            {
                _groupVdl[BitOperations.TrailingZeroCount(rest)] = end;
            }

            Vdl = end;
            _first = (_first + 1) & (_pending.Length - 1);
            PendingRecords--;
        }

        return Vdl != before;
    }

    private bool IsDurable(ulong end, ulong mask)
    {
        for (ulong rest = mask; rest != 0; rest &= rest - 1)
        {
            if (_durable[BitOperations.TrailingZeroCount(rest)] < end)
            {
                return false;
            }
        }

        return true;
    }
}
