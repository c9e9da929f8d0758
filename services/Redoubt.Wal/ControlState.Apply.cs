using System.Buffers.Binary;

namespace Redoubt.Wal;

/// <content>What each kind of record does to the counters: the redo functions of xlog.c, xact.c, clog.c, multixact.c, commit_ts.c.</content>
public sealed partial class ControlState
{
    private const byte CheckpointShutdown = 0x00;
    private const byte CheckpointOnline = 0x10;
    private const byte NextOidRecord = 0x30;
    private const byte ParameterChange = 0x60;
    private const byte FpwChange = 0x80;
    private const byte EndOfRecovery = 0x90;
    private const byte SlruTruncate = 0x10;
    private const byte MultiXactCreate = 0x20;
    private const byte MultiXactTruncate = 0x30;
    private const byte RunningXacts = 0x10;

    private bool ApplyXlog(in WalRecord record)
    {
        switch ((byte)(record.Info & 0xF0))
        {
            case CheckpointShutdown:
            {
                var checkPoint = CheckPointOf(record);
                checkPoint.CopyTo(_now);
                checkPoint.CopyTo(_lastCheckPoint);
                LastCheckpointStart = record.Start;
                return true;
            }

            case CheckpointOnline:
                ApplyOnlineCheckpoint(record, CheckPointOf(record));
                return true;
            case NextOidRecord:
                return Set(CheckPointFields.NextOid, Data(record).UInt32());
            case ParameterChange:
                return ApplyParameterChange(Data(record).Take(26));
            case FpwChange:
            {
                byte on = Data(record).Byte();
                bool changed = _now[CheckPointFields.FullPageWrites] != on;
                _now[CheckPointFields.FullPageWrites] = on;
                return changed;
            }

            case EndOfRecovery:
            {
                var data = Data(record);
                data.Take(8);
                bool changed = Set(CheckPointFields.ThisTimeLine, data.UInt32());
                return changed | Set(CheckPointFields.PrevTimeLine, data.UInt32());
            }

            default:
                return false;
        }
    }

    private void ApplyOnlineCheckpoint(in WalRecord record, ReadOnlySpan<byte> checkPoint)
    {
        // The oid counter of an online checkpoint may be stale, the others are minimums (xlog_redo).
        ulong nextXid = CheckPointFields.UInt64(checkPoint, CheckPointFields.NextXid);
        if (nextXid > NextFullXid)
        {
            SetNextFullXid(nextXid);
        }

        AdvanceMulti(
            CheckPointFields.UInt32(checkPoint, CheckPointFields.NextMulti),
            CheckPointFields.UInt32(checkPoint, CheckPointFields.NextMultiOffset));
        AdvanceOldestMulti(
            CheckPointFields.UInt32(checkPoint, CheckPointFields.OldestMulti),
            CheckPointFields.UInt32(checkPoint, CheckPointFields.OldestMultiDb));
        AdvanceOldestXid(
            CheckPointFields.UInt32(checkPoint, CheckPointFields.OldestXid),
            CheckPointFields.UInt32(checkPoint, CheckPointFields.OldestXidDb));

        // The primary's limits for commit timestamps move without a record of their own when tracking begins at its start.
        uint oldestTs = CheckPointFields.UInt32(checkPoint, CheckPointFields.OldestCommitTsXid);
        uint newestTs = CheckPointFields.UInt32(checkPoint, CheckPointFields.NewestCommitTsXid);
        if (oldestTs != 0 && (OldestCommitTimestampXid == 0 || XidMath.Precedes(OldestCommitTimestampXid, oldestTs)))
        {
            Set(CheckPointFields.OldestCommitTsXid, oldestTs);
        }

        if (newestTs != 0 && (NewestCommitTimestampXid == 0 || XidMath.Precedes(NewestCommitTimestampXid, newestTs)))
        {
            Set(CheckPointFields.NewestCommitTsXid, newestTs);
        }

        checkPoint.CopyTo(_lastCheckPoint);
        checkPoint.CopyTo(_lastOnline);
        LastCheckpointStart = record.Start;
        LastOnlineCheckpointStart = record.Start;
    }

    private bool ApplyParameterChange(ReadOnlySpan<byte> change)
    {
        byte[] before = _control.AsSpan(ControlFields.WalLevel, ControlFields.TrackCommitTimestamp + 1 - ControlFields.WalLevel).ToArray();
        Span<byte> control = _control;
        change[..4].CopyTo(control[ControlFields.MaxConnections..]);
        change[4..8].CopyTo(control[ControlFields.MaxWorkerProcesses..]);
        change[8..12].CopyTo(control[ControlFields.MaxWalSenders..]);
        change[12..16].CopyTo(control[ControlFields.MaxPreparedXacts..]);
        change[16..20].CopyTo(control[ControlFields.MaxLocksPerXact..]);
        change[20..24].CopyTo(control[ControlFields.WalLevel..]);
        change[20..24].CopyTo(_now.AsSpan(CheckPointFields.WalLevel));
        control[ControlFields.WalLogHints] = change[24];
        bool tracked = TrackCommitTimestamp;
        control[ControlFields.TrackCommitTimestamp] = change[25];
        if (TrackCommitTimestamp && !tracked && OldestCommitTimestampXid == 0)
        {
            // ActivateCommitTs
            Set(CheckPointFields.OldestCommitTsXid, (uint)NextFullXid);
            Set(CheckPointFields.NewestCommitTsXid, (uint)NextFullXid);
        }
        else if (!TrackCommitTimestamp)
        {
            // DeactivateCommitTs
            Set(CheckPointFields.OldestCommitTsXid, 0);
            Set(CheckPointFields.NewestCommitTsXid, 0);
        }

        return !control.Slice(ControlFields.WalLevel, before.Length).SequenceEqual(before);
    }

    private bool ApplyTransaction(PgVersion version, in WalRecord record)
    {
        if (XactRecord.EndsTransaction(record.Info))
        {
            RecordParts.Parse(record, out RecordParts parts);
            return ApplyTransactionEnd(version, record, parts);
        }

        if (XactRecord.Op(record.Info) == XactRecord.Assignment)
        {
            var data = Data(record);
            bool changed = AdvancePast(data.UInt32());
            for (int left = data.Count(4); left > 0; left--)
            {
                changed |= AdvancePast(data.UInt32());
            }

            return changed;
        }

        if (XactRecord.Op(record.Info) == XactRecord.Prepare)
        {
            var data = Data(record);
            data.Take(8);
            return AdvancePast(data.UInt32());
        }

        return false;
    }

    private bool ApplyTransactionEnd(PgVersion version, in WalRecord record, scoped in RecordParts parts)
    {
        XactRecord end = XactRecord.Parse(version, record, parts.MainData);
        bool changed = AdvancePast(end.Xid);
        uint newest = end.Xid;
        for (int i = 0; i < end.SubxidCount; i++)
        {
            uint xid = end.Subxid(i);
            changed |= AdvancePast(xid);
            newest = xid;
        }

        // TransactionTreeSetCommitTsData takes the last subtransaction for the newest of the tree.
        if (XactRecord.IsCommit(record.Info) && TrackCommitTimestamp && XidMath.Precedes(NewestCommitTimestampXid, newest))
        {
            changed |= Set(CheckPointFields.NewestCommitTsXid, newest);
        }

        return changed;
    }

    private bool ApplyClog(in WalRecord record)
    {
        if ((record.Info & 0xF0) != SlruTruncate)
        {
            return false;
        }

        var data = Data(record);
        data.Take(8);
        uint oldest = data.UInt32();
        return AdvanceOldestXid(oldest, data.UInt32());
    }

    private bool ApplyCommitTs(in WalRecord record)
    {
        if ((record.Info & 0xF0) != SlruTruncate)
        {
            return false;
        }

        var data = Data(record);
        data.Take(8);
        uint oldest = data.UInt32();
        return OldestCommitTimestampXid != 0
            && XidMath.Precedes(OldestCommitTimestampXid, oldest)
            && Set(CheckPointFields.OldestCommitTsXid, oldest);
    }

    private bool ApplyMultiXact(in WalRecord record)
    {
        byte info = (byte)(record.Info & 0xF0);
        if (info == MultiXactCreate)
        {
            var data = Data(record);
            uint multi = data.UInt32();
            uint offset = data.UInt32();
            int members = data.Count(8);
            bool changed = AdvanceMulti(multi + 1, offset + (uint)members);
            for (; members > 0; members--)
            {
                changed |= AdvancePast(data.UInt32());
                data.UInt32();
            }

            return changed;
        }

        if (info == MultiXactTruncate)
        {
            var data = Data(record);
            uint db = data.UInt32();
            data.UInt32();
            return AdvanceOldestMulti(data.UInt32(), db);
        }

        return false;
    }

    private bool ApplyStandby(in WalRecord record)
    {
        if ((record.Info & 0xF0) != RunningXacts)
        {
            return false;
        }

        // xids may have been handed out that no record names yet; the running-transactions record knows the counter.
        var data = Data(record);
        data.Take(12);
        uint next = data.UInt32();
        return next >= XidMath.FirstNormal && AdvancePast(next == XidMath.FirstNormal ? uint.MaxValue : next - 1);
    }

    private bool AdvanceMulti(uint nextMulti, uint nextOffset)
    {
        bool changed = false;
        if (XidMath.MultiPrecedes(NextMultiXact, nextMulti))
        {
            // 0 is not a multixact id.
            changed = Set(CheckPointFields.NextMulti, Math.Max(nextMulti, 1));
        }

        if (XidMath.MultiPrecedes(NextMultiXactOffset, nextOffset))
        {
            changed |= Set(CheckPointFields.NextMultiOffset, nextOffset);
        }

        return changed;
    }

    private bool AdvanceOldestMulti(uint oldest, uint db) =>
        XidMath.MultiPrecedes(OldestMultiXact, oldest)
        && (Set(CheckPointFields.OldestMulti, oldest) | Set(CheckPointFields.OldestMultiDb, db));

    private bool AdvanceOldestXid(uint oldest, uint db) =>
        XidMath.Precedes(OldestXid, oldest)
        && (Set(CheckPointFields.OldestXid, oldest) | Set(CheckPointFields.OldestXidDb, db));

    private static ReadOnlySpan<byte> CheckPointOf(in WalRecord record) => Data(record).Take(CheckPointFields.Length);

    private static ByteReader Data(in WalRecord record)
    {
        // Records that move counters have no block references: their data is the last part, found without taking the rest apart.
        return new ByteReader(record.Start, MainDataOf(record));
    }

    private static ReadOnlySpan<byte> MainDataOf(in WalRecord record)
    {
        RecordParts.Parse(record, out RecordParts parts);
        int length = parts.MainData.Length;
        return record.Bytes[^length..];
    }
}
