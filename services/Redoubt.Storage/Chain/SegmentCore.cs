using Redoubt.Wal;

namespace Redoubt.Storage.Chain;

/// <summary>
/// The safety rules of one segment in one place: epochs, truncations, the chain, and what may be acknowledged, applied and read.
/// Pure and single-threaded: the caller makes things durable first, then tells. The simulator of the tests runs this very class.
/// </summary>
/// <param name="readMarks">Reads a stored frame's entries again.</param>
public sealed class SegmentCore(Func<LogAddress, EntryMark[]> readMarks)
{
    /// <summary>No record of PostgreSQL ends below; entries there are of an import.</summary>
    public const ulong FirstRecordLsn = 0x1000000;

    /// <summary>What is persisted about writers.</summary>
    public EpochState Epochs { get; private set; } = EpochState.Blank;

    public SegmentChain Chain { get; } = new(readMarks);

    /// <summary>Highest volume durable LSN heard of from a writer whose epoch is obeyed.</summary>
    public ulong Vdl { get; private set; }

    /// <summary>End of this group's last entry at or below <see cref="Vdl"/>, as far as known.</summary>
    public ulong GroupVdl { get; private set; }

    /// <summary>End of the last record that may be applied.</summary>
    public ulong ApplyLimit => Math.Min(Vdl, Chain.RecordEnd);

    /// <summary>True when log that others have is missing here.</summary>
    public bool IsBehind => Chain.WaitingCount > 0 || Chain.Scl < GroupVdl;

    /// <summary>Starts from what was persisted; frames found on disk are offered with <see cref="Recover"/> afterwards.</summary>
    public void Load(EpochState epochs, ulong baseEnd, ulong baseStart)
    {
        Epochs = epochs;
        Chain.Reset(baseEnd, baseStart, epochs.History);
    }

    /// <summary>A frame found on this segment's own disk at start.</summary>
    public ChainOffer Recover(ulong epoch, ulong from, ReadOnlySpan<EntryMark> marks, LogAddress at) => Chain.Offer(epoch, from, marks, at);

    /// <summary>Takes a new epoch state into effect, which the caller has persisted.</summary>
    /// <returns>False when the truncation voids a whole unfinished import: the caller empties log and page store.</returns>
    public bool Adopt(EpochState next)
    {
        bool rewrites = !ReferenceEquals(next.History, Epochs.History);
        Epochs = next;
        if (!rewrites)
        {
            return true;
        }

        if (next.History.LastEpoch != 0 && next.History.Points[^1].Above < Math.Max(Vdl, Chain.Base))
        {
            Vdl = GroupVdl = 0;
            Chain.Reset(0, 0, next.History);
            return false;
        }

        Chain.Rewrite(next.History);
        return true;
    }

    /// <summary>Refuses a truncation that would lose what a writer called durable.</summary>
    /// <param name="point">The truncation.</param>
    /// <param name="applied">What the page store holds.</param>
    /// <exception cref="ChainException">It lies below the VDL and real records would be lost.</exception>
    public void CheckTruncation(TruncationPoint point, ulong applied)
    {
        ulong promised = Math.Max(Math.Max(Vdl, applied), Chain.Base);
        if (point.Above < promised && promised >= FirstRecordLsn)
        {
            throw new ChainException(
                $"truncation above {new Lsn(point.Above)} of epoch {point.Epoch} would lose log that is durable up to {new Lsn(promised)}");
        }

        if (point.GroupEnd > point.Above)
        {
            throw new ChainException($"truncation above {new Lsn(point.Above)} names a later group end {new Lsn(point.GroupEnd)}");
        }
    }

    /// <summary>Throws unless a writer of this epoch may append, or be told that something is durable.</summary>
    /// <exception cref="EpochRefusedException">A newer epoch is obeyed: the writer is fenced.</exception>
    /// <exception cref="SegmentNotReadyException">Its truncation has not come.</exception>
    public void RequireWriter(ulong epoch)
    {
        if (epoch < Epochs.Epoch)
        {
            throw new EpochRefusedException(Epochs.Epoch, $"epoch {epoch} is fenced: epoch {Epochs.Epoch} is obeyed");
        }

        if (epoch > Epochs.Epoch || !Epochs.IsSettled)
        {
            throw new SegmentNotReadyException(NotReadyReason.Unsettled,
                $"the segment obeys epoch {Epochs.Epoch} and knows truncations up to epoch {Epochs.History.LastEpoch}: epoch {epoch} must send Truncate first");
        }
    }

    /// <summary>A writer's frame, durable at <paramref name="at"/>. What is then at or below SCL may be acknowledged to it.</summary>
    /// <param name="writer">Epoch of the stream it came on.</param>
    /// <exception cref="EpochRefusedException">The writer was fenced meanwhile.</exception>
    /// <exception cref="ChainException">The frame contradicts the chain or names a later epoch than its writer has.</exception>
    public ChainOffer OfferFromWriter(ulong writer, ulong epoch, ulong from, ReadOnlySpan<EntryMark> marks, LogAddress at)
    {
        RequireWriter(writer);
        if (epoch > writer)
        {
            throw new ChainException($"a writer of epoch {writer} sent a frame of epoch {epoch}");
        }

        return Chain.Offer(epoch, from, marks, at);
    }

    /// <summary>A peer's frame, durable at <paramref name="at"/>.</summary>
    /// <returns>Null when it cannot be judged now: the truncation of its epoch, or of the epoch obeyed, is unknown here.</returns>
    public ChainOffer? OfferFromPeer(ulong epoch, ulong from, ReadOnlySpan<EntryMark> marks, LogAddress at) =>
        CanTakeFromPeer(epoch) ? Chain.Offer(epoch, from, marks, at) : null;

    /// <summary>True when a peer's entries of this epoch can be told from void ones.</summary>
    public bool CanTakeFromPeer(ulong epoch) => Epochs.IsSettled && epoch <= Epochs.History.LastEpoch;

    /// <summary>A writer of the epoch obeyed says what is durable.</summary>
    public void HearVdl(ulong epoch, ulong vdl, ulong groupVdl)
    {
        if (epoch == Epochs.Epoch && Epochs.IsSettled)
        {
            Vdl = Math.Max(Vdl, vdl);
            GroupVdl = Math.Max(GroupVdl, Math.Min(groupVdl, vdl));
        }
    }

    /// <summary>Throws unless pages may be served to a compute of this epoch that needs the log up to <paramref name="completeAt"/>.</summary>
    /// <exception cref="EpochRefusedException">The compute is fenced.</exception>
    /// <exception cref="SegmentNotReadyException">The segment's epoch is older, its truncation unknown, or its log incomplete.</exception>
    public void RequireReadable(ulong epoch, ulong completeAt)
    {
        RequireWriter(epoch);
        if (Chain.Scl < completeAt)
        {
            throw new SegmentNotReadyException(NotReadyReason.Incomplete,
                $"the segment is complete to {new Lsn(Chain.Scl)}, the read needs {new Lsn(completeAt)}");
        }
    }
}
