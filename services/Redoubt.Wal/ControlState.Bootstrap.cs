using System.Buffers.Binary;

namespace Redoubt.Wal;

/// <content>Makes what a data directory needs to start at <see cref="Lsn"/>: a checkpoint record, pg_control, log files.</content>
public sealed partial class ControlState
{
    // XLogRecord, short data header, CheckPoint.
    private const int CheckpointRecordLength = WalRecord.HeaderLength + 2 + CheckPointFields.Length;

    /// <summary>The bytes of a shutdown-checkpoint record that continues the log at <see cref="Lsn"/>, contiguous, the record's start
    /// and end, and the checkpoint's place for pg_control. <see cref="MakeWalSegments"/> puts page headers around it.</summary>
    public ShutdownCheckpoint MakeShutdownCheckpoint(PgVersion version, DateTimeOffset now)
    {
        RequireVersion(version);
        Lsn start = WalAddress.NextRecordStart(Lsn);
        byte[] checkPoint = (byte[])_now.Clone();
        CheckPointFields.Put(checkPoint, CheckPointFields.Redo, start.Value);
        CheckPointFields.Put(checkPoint, CheckPointFields.PrevTimeLine, Timeline);
        CheckPointFields.Put(checkPoint, CheckPointFields.WalLevel, (uint)WalLevel);
        CheckPointFields.Put(checkPoint, CheckPointFields.Time, (ulong)now.ToUnixTimeSeconds());
        CheckPointFields.Put(checkPoint, CheckPointFields.OldestActiveXid, 0u);

        byte[] record = new byte[CheckpointRecordLength];
        BinaryPrimitives.WriteUInt32LittleEndian(record, CheckpointRecordLength);
        BinaryPrimitives.WriteUInt64LittleEndian(record.AsSpan(8), LastRecordStart.Value);
        record[16] = CheckpointShutdown;
        record[17] = RmgrId.Xlog;
        record[24] = 255;
        record[25] = CheckPointFields.Length;
        checkPoint.CopyTo(record.AsSpan(26));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(20), RecordHeader.Crc(record));
        return new ShutdownCheckpoint(start, WalAddress.RecordEnd(start, CheckpointRecordLength), record, checkPoint);
    }

    /// <summary>An 8,192-byte pg_control of state "shut down" at the given checkpoint.</summary>
    public byte[] MakeControlFile(PgVersion version, in ShutdownCheckpoint checkpoint)
    {
        RequireVersion(version);
        byte[] file = NewControlFile(ControlFields.StateShutDown, checkpoint.Start, checkpoint.Checkpoint);
        FinishControlFile(file);
        return file;
    }

    /// <summary>An 8,192-byte pg_control for a standby: state "in archive recovery" at the last online checkpoint, consistent at
    /// <paramref name="minRecoveryPoint"/>.</summary>
    /// <exception cref="InvalidOperationException">No online checkpoint has been seen.</exception>
    public byte[] MakeStandbyControlFile(PgVersion version, Lsn minRecoveryPoint)
    {
        RequireVersion(version);
        if (!LastOnlineCheckpointStart.IsValid)
        {
            throw new InvalidOperationException("A standby starts from an online checkpoint, and the log has none yet.");
        }

        byte[] file = NewControlFile(ControlFields.StateInArchiveRecovery, LastOnlineCheckpointStart, _lastOnline);
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(ControlFields.MinRecoveryPoint), minRecoveryPoint.Value);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(ControlFields.MinRecoveryPointTimeLine), Timeline);
        FinishControlFile(file);
        return file;
    }

    /// <summary>One whole 16 MiB log file that holds nothing but the page headers it must have and the checkpoint record;
    /// a second one when the record crosses into the next file.</summary>
    public IReadOnlyList<WalSegmentFile> MakeWalSegments(PgVersion version, in ShutdownCheckpoint checkpoint)
    {
        RequireVersion(version);
        var files = new List<WalSegmentFile>(2);
        Lsn at = checkpoint.Start;
        Lsn page = WalAddress.PageStart(at);
        var pieces = NewFile(files, page);
        if (WalAddress.SegmentOffset(page) != 0)
        {
            // PostgreSQL looks at a file's first page before any other.
            pieces.Add((0, Header(WalAddress.SegmentStart(page), 0)));
        }

        pieces.Add((WalAddress.SegmentOffset(page), Header(page, 0)));
        ReadOnlySpan<byte> left = checkpoint.Record;
        while (true)
        {
            int part = Math.Min(left.Length, WalAddress.PageSize - WalAddress.PageOffset(at));
            pieces.Add((WalAddress.SegmentOffset(at), left[..part].ToArray()));
            left = left[part..];
            if (left.IsEmpty)
            {
                return files;
            }

            page = at + (ulong)part;
            if (WalAddress.SegmentOffset(page) == 0)
            {
                pieces = NewFile(files, page);
            }

            pieces.Add((WalAddress.SegmentOffset(page), Header(page, (uint)left.Length)));
            at = page + (ulong)WalAddress.PageHeaderLength(page);
        }
    }

    private List<(int Offset, byte[] Bytes)> NewFile(List<WalSegmentFile> files, Lsn at)
    {
        var pieces = new List<(int Offset, byte[] Bytes)>(4);
        files.Add(new WalSegmentFile(WalAddress.SegmentFileName(Timeline, at), pieces));
        return pieces;
    }

    private byte[] Header(Lsn page, uint remaining)
    {
        byte[] header = new byte[WalAddress.PageHeaderLength(page)];
        ushort info = remaining > 0 ? PageHeader.FirstIsContRecord : (ushort)0;
        PageHeader.Write(_version, header, page, Timeline, info, remaining, SystemIdentifier);
        return header;
    }

    private byte[] NewControlFile(uint state, Lsn checkpointStart, ReadOnlySpan<byte> checkPoint)
    {
        byte[] file = new byte[ControlFields.FileLength];
        _control.CopyTo(file, 0);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(ControlFields.State), state);
        BinaryPrimitives.WriteUInt64LittleEndian(
            file.AsSpan(ControlFields.Time), CheckPointFields.UInt64(checkPoint, CheckPointFields.Time));
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(ControlFields.CheckPoint), checkpointStart.Value);
        checkPoint.CopyTo(file.AsSpan(ControlFields.CheckPointCopy));
        file.AsSpan(ControlFields.MinRecoveryPoint, ControlFields.WalLevel - ControlFields.MinRecoveryPoint).Clear();
        return file;
    }

    private void FinishControlFile(byte[] file)
    {
        int crcOffset = VersionFormat.Of(_version).ControlCrcOffset;
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(crcOffset), Crc32C.Compute(file.AsSpan(0, crcOffset)));
    }

    private void RequireVersion(PgVersion version)
    {
        if (version != _version)
        {
            throw new ArgumentException($"The state is of PostgreSQL {(int)_version}, not {(int)version}.", nameof(version));
        }
    }
}
