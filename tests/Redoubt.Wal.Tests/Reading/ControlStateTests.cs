using System.Buffers.Binary;
using CsCheck;
using Redoubt.Wal.Tests.Splitting;

namespace Redoubt.Wal.Tests.Reading;

/// <summary>How single records move the counters.</summary>
public sealed class ControlStateTests
{
    [Fact]
    public void The_next_xid_is_beyond_every_xid_and_grows_an_epoch_at_the_wrap() =>
        Gen.Select(Gen.UInt[3, uint.MaxValue], Gen.Int[-1000, 1000].Array[1, 30]).Sample((start, steps) =>
        {
            ControlState control = TestControl.Make(nextXid: (7UL << 32) + start);
            foreach (int step in steps)
            {
                ulong before = control.NextFullXid;
                uint xid = (uint)(before + (ulong)step);
                Apply(control, new RecordBuilder(RmgrId.Heap, 0) { Xid = xid });
                if (xid < 3)
                {
                    Assert.Equal(before, control.NextFullXid);
                    continue;
                }

                Assert.True(control.NextFullXid >= before);
                Assert.True(control.NextFullXid > control.FullXid(xid));
                Assert.True((uint)control.NextFullXid >= 3);
                Assert.True(step >= 0 || control.NextFullXid == before);
                Assert.True(step < 0 || control.NextFullXid <= before + (ulong)step + 4);
            }
        });

    [Fact]
    public void Subtransactions_and_multixact_members_count_too()
    {
        ControlState control = TestControl.Make();
        Apply(control, new RecordBuilder(RmgrId.Transaction, 0x80) { Xid = 1000 }
            .Main(new byte[8], RecordBuilder.U32(2), RecordBuilder.U32(2, 1005, 1009)));
        Assert.Equal(1010u, control.NextFullXid);
        Apply(control, new RecordBuilder(RmgrId.MultiXact, 0x20).Main(RecordBuilder.U32(50, 200, 2), RecordBuilder.U32(1020, 0, 1011, 1)));
        Assert.Equal(1021u, control.NextFullXid);
        Assert.Equal((51u, 202u), (control.NextMultiXact, control.NextMultiXactOffset));
        Apply(control, new RecordBuilder(RmgrId.Transaction, 0x50).Main(RecordBuilder.U32(1022, 1, 1030)));
        Assert.Equal(1031u, control.NextFullXid);

        // Running transactions know the counter itself.
        Apply(control, new RecordBuilder(RmgrId.Standby, 0x10).Main(RecordBuilder.U32(0, 0, 0, 1040, 1000, 1039)));
        Assert.Equal(1040u, control.NextFullXid);
    }

    [Fact]
    public void Multixacts_skip_zero_at_the_wrap()
    {
        ControlState control = TestControl.Make();
        foreach (uint multi in new uint[] { 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF })
        {
            Apply(control, new RecordBuilder(RmgrId.MultiXact, 0x20).Main(RecordBuilder.U32(multi, 5, 1), RecordBuilder.U32(900, 0)));
        }

        Assert.Equal(1u, control.NextMultiXact);
    }

    [Fact]
    public void Truncations_move_the_oldest_only_forward()
    {
        ControlState control = TestControl.Make();
        Apply(control, new RecordBuilder(RmgrId.Clog, 0x10).Main(new byte[8], RecordBuilder.U32(700, 5)));
        Apply(control, new RecordBuilder(RmgrId.Clog, 0x10).Main(new byte[8], RecordBuilder.U32(600, 4)));
        Assert.Equal(700u, control.OldestXid);
        Apply(control, new RecordBuilder(RmgrId.MultiXact, 0x30).Main(RecordBuilder.U32(5, 1, 90, 0, 400)));
        Assert.Equal(90u, control.OldestMultiXact);
    }

    [Fact]
    public void Parameters_and_commit_timestamps_follow_their_record()
    {
        ControlState control = TestControl.Make();
        Assert.True(Apply(control, new RecordBuilder(RmgrId.Xlog, 0x60).Main(RecordBuilder.U32(321, 9, 8, 7, 65, 2), [1, 1, 0, 0])));
        Assert.Equal((321, 9, 8, 7, 65), (control.MaxConnections, control.MaxWorkerProcesses, control.MaxWalSenders, control.MaxPreparedTransactions, control.MaxLocksPerTransaction));
        Assert.Equal(2, control.WalLevel);
        Assert.True(control.WalLogHints && control.TrackCommitTimestamp);
        Assert.Equal((1000u, 1000u), (control.OldestCommitTimestampXid, control.NewestCommitTimestampXid));
        Apply(control, new RecordBuilder(RmgrId.Transaction, 0) { Xid = 1001 }.Main(new byte[8]));
        Assert.Equal(1001u, control.NewestCommitTimestampXid);
        Apply(control, new RecordBuilder(RmgrId.Xlog, 0x60).Main(RecordBuilder.U32(321, 9, 8, 7, 65, 1), [0, 0, 0, 0]));
        Assert.Equal((0u, 0u), (control.OldestCommitTimestampXid, control.NewestCommitTimestampXid));
        Apply(control, new RecordBuilder(RmgrId.Xlog, 0x30).Main(RecordBuilder.U32(24576)));
        Assert.Equal(24576u, control.NextOid);
        Assert.False(Apply(control, new RecordBuilder(RmgrId.Xlog, 0x20).Main([0])));
    }

    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public void The_synthesised_checkpoint_carries_the_counters_and_continues_the_chain(PgVersion version) =>
        Gen.Int[0, 8191].Sample(place =>
        {
            ControlState control = TestControl.Make(version, nextXid: (3UL << 32) + 77);
            var end = new Lsn(0x1FFC000UL + WalAddress.Align8((ulong)place));
            if (WalAddress.PageOffset(end) is > 0 and < 24)
            {
                end += 24;
            }

            var last = new Lsn(0x1001000);
            control.Apply(version, new WalRecord(last, end, new RecordBuilder(RmgrId.Xlog, 0x20).Main([0]).Bytes()));
            ShutdownCheckpoint checkpoint = control.MakeShutdownCheckpoint(version, DateTimeOffset.FromUnixTimeSeconds(1234));
            using var reader = new WalStreamReader(version, end, last);
            foreach (WalSegmentFile file in control.MakeWalSegments(version, checkpoint))
            {
                byte[] bytes = new byte[WalAddress.SegmentSize];
                file.Pieces.ToList().ForEach(piece => piece.Bytes.CopyTo(bytes, piece.Offset));
                Assert.True(WalAddress.TryParseSegmentFileName(file.Name, out uint timeline, out Lsn start));
                Assert.Equal(1u, timeline);
                Lsn from = start < WalAddress.PageStart(end) ? WalAddress.PageStart(end) : start;
                if (from > reader.AppendPosition)
                {
                    reader.Append(end, []);
                }

                reader.Append(from, bytes.AsSpan(WalAddress.SegmentOffset(from)));
            }

            Assert.True(reader.TryRead(out WalRecord record));
            Assert.Equal((checkpoint.Start, checkpoint.End, last), (record.Start, record.End, record.Prev));
            Assert.Equal((3UL << 32) + 77, BinaryPrimitives.ReadUInt64LittleEndian(checkpoint.Checkpoint.AsSpan(24)));
            control.Apply(version, record);

            // pg_control of it reads back as the same state.
            ControlState back = ControlState.FromControlFile(version, control.MakeControlFile(version, checkpoint));
            Assert.Equal((control.Lsn, control.LastRecordStart, control.NextFullXid), (back.Lsn, back.LastRecordStart, back.NextFullXid));
            Assert.Equal(control.Encode(), ControlState.Decode(control.Encode()).Encode());
        }, iter: 300);

    [Fact]
    public void A_damaged_state_or_control_file_is_refused()
    {
        byte[] encoded = TestControl.Make().Encode();
        Gen.Select(Gen.Int[0, encoded.Length - 1], Gen.Byte[1, 255]).Sample((at, change) =>
        {
            byte[] damaged = (byte[])encoded.Clone();
            damaged[at] ^= change;
            Assert.Throws<WalFormatException>(() => ControlState.Decode(damaged));
        });
        Assert.Throws<WalFormatException>(() => ControlState.FromControlFile(PgVersion.Pg18, TestControl.Make().MakeControlFile(
            PgVersion.Pg17, TestControl.Make().MakeShutdownCheckpoint(PgVersion.Pg17, DateTimeOffset.UnixEpoch))));
    }

    private static bool Apply(ControlState control, RecordBuilder record) =>
        control.Apply(PgVersion.Pg17, new WalRecord(control.Lsn, control.Lsn + 64, record.Bytes()));
}
