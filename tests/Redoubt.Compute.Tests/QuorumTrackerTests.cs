using CsCheck;
using Redoubt.Compute.Shipping;
using Redoubt.Protocol;

namespace Redoubt.Compute.Tests;

public class QuorumTrackerTests
{
    [Fact]
    public void The_vdl_moves_when_the_fourth_of_six_has_a_record()
    {
        var tracker = new QuorumTracker(VolumeShape.ForCopies(6), 100, [100]);
        tracker.Add(200, 1);
        Assert.False(tracker.Acknowledge(0, 0, 200));
        Assert.False(tracker.Acknowledge(0, 1, 200));
        Assert.False(tracker.Acknowledge(0, 2, 200));
        Assert.Equal(100u, tracker.Vdl);
        Assert.True(tracker.Acknowledge(0, 5, 200));
        Assert.Equal(200u, tracker.Vdl);
        Assert.Equal(200u, tracker.GroupVdl(0));
    }

    [Fact]
    public void A_record_of_two_groups_counts_when_both_have_it_and_holds_up_later_ones()
    {
        var tracker = new QuorumTracker(VolumeShape.ForCopies(1, 2), 100, [100, 90]);
        tracker.Add(200, 0b11);
        tracker.Add(300, 0b10);
        Assert.False(tracker.Acknowledge(1, 0, 300));
        Assert.Equal(100u, tracker.Vdl);
        Assert.True(tracker.Acknowledge(0, 0, 200));
        Assert.Equal(300u, tracker.Vdl);
        Assert.Equal(200u, tracker.GroupVdl(0));
        Assert.Equal(300u, tracker.GroupVdl(1));
    }

    [Fact]
    public void Positions_inside_a_record_are_durable_but_no_vdl()
    {
        var tracker = new QuorumTracker(VolumeShape.ForCopies(1, 2), 100, [100, 100]);
        Assert.False(tracker.Acknowledge(0, 0, 150));
        Assert.False(tracker.Acknowledge(1, 0, 170));
        Assert.Equal((100u, 150u, 170u), (tracker.Vdl, tracker.GroupDurable(0), tracker.GroupDurable(1)));
        tracker.Add(200, 0b11);
        Assert.False(tracker.Acknowledge(0, 0, 200));
        Assert.True(tracker.Acknowledge(1, 0, 200));
        Assert.Equal((200u, 200u, 200u), (tracker.Vdl, tracker.GroupVdl(0), tracker.GroupVdl(1)));
    }

    [Fact]
    public void The_vdl_never_goes_back_when_a_copy_loses_its_disk()
    {
        var tracker = new QuorumTracker(VolumeShape.ForCopies(1), 100, [100]);
        tracker.Add(200, 1);
        tracker.Acknowledge(0, 0, 200);
        tracker.Acknowledge(0, 0, 0);
        Assert.Equal(200u, tracker.Vdl);
    }

    [Fact]
    public void The_vdl_is_the_highest_prefix_that_a_write_quorum_of_every_group_holds() =>
        Gen.Select(Gen.Int[1, 3], Gen.Int[0, 100_000]).Sample((groups, seed) =>
        {
            var random = new Random(seed);
            var shape = VolumeShape.ForCopies(3, groups);
            var tracker = new QuorumTracker(shape, 0, new ulong[groups]);
            var records = new List<(ulong End, ulong Mask)>();
            var scl = new ulong[groups, 3];
            ulong end = 0;
            for (int step = 0; step < 60; step++)
            {
                if (random.Next(2) == 0)
                {
                    end += (ulong)random.Next(1, 50);
                    records.Add((end, (ulong)random.Next(1, 1 << groups)));
                    tracker.Add(end, records[^1].Mask);
                }
                else if (records.Count > 0)
                {
                    int g = random.Next(groups), copy = random.Next(3);
                    scl[g, copy] = Math.Max(scl[g, copy], records.Where(r => (r.Mask & (1UL << g)) != 0).Select(r => r.End).DefaultIfEmpty(0UL).OrderBy(_ => random.Next()).First());
                    tracker.Acknowledge(g, copy, scl[g, copy]);
                }

                ulong expected = 0;
                foreach (var (recordEnd, mask) in records)
                {
                    bool durable = Enumerable.Range(0, groups).Where(g => (mask & (1UL << g)) != 0)
                        .All(g => Enumerable.Range(0, 3).Count(c => scl[g, c] >= recordEnd) >= 2);
                    if (!durable)
                    {
                        break;
                    }

                    expected = recordEnd;
                }

                Assert.Equal(expected, tracker.Vdl);
            }
        });
}
