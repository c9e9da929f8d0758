using System.Diagnostics;
using Redoubt.Wal;

namespace Redoubt.Compute.Shipping;

/// <summary>
/// Lets PostgreSQL's flushes of its log go on: a flush that found n writes in the log returns when the VDL has passed the last whole record that was
/// there after n writes [I]. Thread-safe.
/// </summary>
public sealed class FlushGate(LogPage page, CommitTimings timings)
{
    private readonly Lock _gate = new();
    private readonly Queue<Passed> _waiting = new();
    private Passed _newest;
    private ulong _vdl;
    private long _commitsDurable;

    /// <summary>What waits for a write quorum: how many transactions, and since when (<see cref="Stopwatch"/> ticks); zeros when nothing does.</summary>
    public (long Commits, long Since) Waiting
    {
        get
        {
            lock (_gate)
            {
                return _waiting.TryPeek(out var oldest) ? (_newest.Commits - _commitsDurable, oldest.At) : default;
            }
        }
    }

    /// <summary>All whole records that were in the log after <paramref name="writes"/> writes are with the writer; the last one ends at <paramref name="end"/>.</summary>
    /// <param name="writes">A count of writes; never goes back.</param>
    /// <param name="end">Never goes back.</param>
    /// <param name="commits">Transactions that ended in the log so far.</param>
    public void Follow(uint writes, Lsn end, long commits)
    {
        lock (_gate)
        {
            _newest = new Passed(writes, end.Value, commits, Stopwatch.GetTimestamp());
            if (_waiting.Count > 0 || end.Value > _vdl)
            {
                _waiting.Enqueue(_newest);
                return;
            }

            _commitsDurable = commits;
            page.SetDurable(writes);
        }
    }

    /// <summary>The VDL has come so far; what is not further than before is ignored.</summary>
    public void Reach(ulong vdl)
    {
        lock (_gate)
        {
            if (vdl <= _vdl)
            {
                return;
            }

            _vdl = vdl;
            bool any = false;
            Passed last = default;
            while (_waiting.TryPeek(out var oldest) && oldest.End <= vdl)
            {
                last = _waiting.Dequeue();
                any = true;
            }

            if (any)
            {
                long began = Stopwatch.GetTimestamp();
                _commitsDurable = last.Commits;
                page.SetDurable(last.Writes);
                timings.Woken(began);
            }
        }
    }

    private readonly record struct Passed(uint Writes, ulong End, long Commits, long At);
}
