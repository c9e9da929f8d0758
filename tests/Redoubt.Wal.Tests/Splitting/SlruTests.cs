using CsCheck;

namespace Redoubt.Wal.Tests.Splitting;

/// <summary>Commit log, commit timestamps and multixacts against models that know nothing of pages.</summary>
public sealed class SlruTests
{
    [Fact]
    public void A_commit_marks_its_whole_tree_however_many_pages_it_lies_on() =>
        Gen.Select(Gen.UInt[3, 2_000_000], Gen.UInt[1, 40_000].Array[0, 300], Gen.Bool).Sample((xid, steps, commit) =>
        {
            uint[] subxids = new uint[steps.Length];
            uint last = xid;
            for (int i = 0; i < steps.Length; i++)
            {
                subxids[i] = last += steps[i];
            }

            var pages = new Dictionary<PageKey, byte[]>();
            SplitResult split = SplitResult.Of(End(commit ? (byte)0x00 : (byte)0x20, xid, subxids).Record(), TestControl.Make(trackCommitTimestamp: true));
            ApplyAll(split, pages);
            foreach (uint member in subxids.Append(xid))
            {
                byte[] page = pages[PageKey.Slru(Fork.SlruXact, member / 32768)];
                Assert.Equal(commit ? 1 : 2, (page[member % 32768 / 4] >> (int)(member % 4 * 2)) & 3);
                if (commit)
                {
                    byte[] times = pages[PageKey.Slru(Fork.SlruCommitTs, member / 819)];
                    Assert.Equal(777, BitConverter.ToInt64(times, (int)(member % 819 * 10)));
                }
            }

            // Nothing else is marked.
            long marked = pages.Where(page => page.Key.Fork == Fork.SlruXact).Sum(page => page.Value.Sum(b => int.PopCount(b)));
            Assert.Equal(subxids.Length + 1, marked);
            Assert.Equal(commit, pages.Keys.Any(key => key.Fork == Fork.SlruCommitTs));
        });

    [Fact]
    public void A_multixact_records_its_offset_the_next_ones_and_every_member() =>
        Gen.Select(
            Gen.OneOf(Gen.UInt[1, 100_000], Gen.Const(uint.MaxValue), Gen.Const(2047u)),
            Gen.OneOf(Gen.UInt[1, 100_000], Gen.UInt[uint.MaxValue - 50, uint.MaxValue]),
            Gen.Select(Gen.UInt[3, uint.MaxValue], Gen.UInt[0, 5]).Array[1, 3000]).Sample(
            (multi, offset, members) =>
            {
                var record = new RecordBuilder(RmgrId.MultiXact, 0x20).Main(
                    RecordBuilder.U32(multi, offset, (uint)members.Length), members.SelectMany(m => RecordBuilder.U32(m.Item1, m.Item2)).ToArray());
                var pages = new Dictionary<PageKey, byte[]>();
                ApplyAll(SplitResult.Of(record.Record(), TestControl.Make()), pages);
                uint next = multi == uint.MaxValue ? 1 : multi + 1;
                uint nextOffset = offset + (uint)members.Length;
                Assert.Equal(offset, Offset(pages, multi));
                Assert.Equal(nextOffset == 0 ? 1 : nextOffset, Offset(pages, next));
                for (uint i = 0; i < members.Length; i++)
                {
                    // MXOffsetToMemberOffset, MXOffsetToFlagsOffset
                    uint at = offset + i;
                    byte[] page = pages[PageKey.Slru(Fork.SlruMultiXactMembers, at / 1636)];
                    int group = (int)(at / 4 % 409) * 20;
                    Assert.Equal(members[i].Item1, BitConverter.ToUInt32(page, group + 4 + ((int)(at % 4) * 4)));
                    Assert.Equal(members[i].Item2, page[group + (int)(at % 4)]);
                }
            });

    [Fact]
    public void The_end_of_a_prepared_transaction_is_told_with_its_epoch()
    {
        byte[] info = [0x10, 0, 0, 0];
        SplitResult split = SplitResult.Of(
            new RecordBuilder(RmgrId.Transaction, 0x80 | 0x30).Main(new byte[8], info, RecordBuilder.U32(990)).Record(),
            TestControl.Make(nextXid: (5UL << 32) + 1000));
        Assert.Equal([$"finished {(5UL << 32) + 990}"], split.Events);
        Assert.Equal(PageKey.Slru(Fork.SlruXact, 0), split.Changes.Single().Key);
    }

    [Theory]
    [InlineData(PgVersion.Pg17, 12)]
    [InlineData(PgVersion.Pg18, 16)]
    public void A_commit_with_everything_in_it_is_read_to_its_end(PgVersion version, int statsItem)
    {
        // xinfo: database, subtransactions, relations, statistics, invalidations, origin (access/xact.h)
        byte[] main =
        [
            .. BitConverter.GetBytes(1L), .. RecordBuilder.U32(0x1 | 0x2 | 0x4 | 0x100 | 0x8 | 0x20),
            .. RecordBuilder.U32(5, 1663), .. RecordBuilder.U32(1, 991), .. RecordBuilder.U32(2, 1663, 5, 30000, 1663, 5, 30001),
            .. RecordBuilder.U32(1), .. new byte[statsItem], .. RecordBuilder.U32(1), .. new byte[16],
            .. BitConverter.GetBytes(0xABCUL), .. BitConverter.GetBytes(99L),
        ];
        SplitResult split = SplitResult.Of(
            new RecordBuilder(RmgrId.Transaction, 0x80) { Xid = 990 }.Origin(7).Main(main).Record(),
            TestControl.Make(version, trackCommitTimestamp: true),
            version);
        Assert.Equal(["origin 7 0/ABC 0/2000100", "dropped 1663/5/30000", "dropped 1663/5/30001"], split.Events);
        var pages = new Dictionary<PageKey, byte[]>();
        ApplyAll(split, pages);
        byte[] times = pages[PageKey.Slru(Fork.SlruCommitTs, 1)];
        const int entry = (990 % 819) * 10;
        Assert.Equal(99, BitConverter.ToInt64(times, entry));
        Assert.Equal(7, BitConverter.ToInt16(times, entry + 8));
    }

    private static RecordBuilder End(byte kind, uint xid, uint[] subxids) => new RecordBuilder(RmgrId.Transaction, (byte)(kind | 0x80)) { Xid = xid }
        .Main(BitConverter.GetBytes(777L), RecordBuilder.U32(2), RecordBuilder.U32((uint)subxids.Length), RecordBuilder.U32(subxids));

    private static uint Offset(Dictionary<PageKey, byte[]> pages, uint multi) =>
        BitConverter.ToUInt32(pages[PageKey.Slru(Fork.SlruMultiXactOffsets, multi / 2048)], (int)(multi % 2048) * 4);

    private static void ApplyAll(SplitResult split, Dictionary<PageKey, byte[]> pages)
    {
        foreach (PageKey key in split.Changes.Select(change => change.Key).Distinct())
        {
            split.Apply(key, pages[key] = new byte[8192]);
        }
    }
}
