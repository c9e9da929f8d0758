using Redoubt.Compute.Volume;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;

namespace Redoubt.Compute.Tests;

/// <summary>Where a volume's log ends when copies stand inside a long record.</summary>
public class VdlRecoveryTests
{
    private const ulong First = VdlRecovery.FirstRecord + 0x1000;

    [Fact]
    public void With_one_group_the_log_ends_with_the_last_whole_record_that_any_copy_has()
    {
        var view = View(
            (Scl: First + 900, RecordEnd: First + 100),   // far inside a record
            (Scl: First + 200, RecordEnd: First + 200),
            (Scl: First + 150, RecordEnd: First + 100));
        Assert.Equal(First + 200, view.HighestEnd);
        Assert.Equal(1, view.MostComplete.Segment.Copy);
    }

    [Fact]
    public void A_copy_that_missed_a_truncation_counts_to_where_it_cut_though_it_stands_inside_a_record_above()
    {
        var cut = new Truncation { Epoch = 2, Above = First + 100, GroupEnd = First + 100 };
        var missed = State(0, First + 900, First + 300);
        var took = State(1, First + 100, First + 100);
        took.State.Truncations.Add(cut);
        var view = GroupView.Of(0, [missed, took]);
        Assert.Equal([First + 100, First + 100], view.Members.Select(m => m.ValidEnd));
    }

    [Fact]
    public void Storage_that_does_not_say_where_its_last_record_ends_is_refused()
    {
        var old = State(0, First + 900, 0);
        var refused = Assert.Throws<VolumeMismatchException>(() => GroupView.Of(0, [old]));
        Assert.Contains("older", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void With_three_groups_a_record_in_parts_counts_when_all_have_its_last_part()
    {
        LogPosition before = Entry(First, First + 100, 0b010, LogEntryKind.WalRecord);
        LogPosition[] parts =
        [
            Entry(First + 100, First + 300, 0b111, LogEntryKind.RecordPart),
            Entry(First + 100, First + 500, 0b111, LogEntryKind.RecordPart),
            Entry(First + 100, First + 600, 0b111, LogEntryKind.RecordEnd),
        ];
        LogPosition after = Entry(First + 600, First + 700, 0b001, LogEntryKind.WalRecord);

        var whole = VdlRecovery.Walk(First, [[.. parts, after], [before, .. parts], parts]);
        Assert.Equal((First + 700, First + 600), (whole.Vdl, whole.LastStart));
        Assert.Equal([First + 700, First + 600, First + 600], whole.GroupEnds);

        var end = VdlRecovery.Walk(First, [parts, [before, .. parts], parts]);
        Assert.Equal((First + 600, First + 100), (end.Vdl, end.LastStart));

        // One group stands inside the record: it never happened, nor did what others have of it.
        var cut = VdlRecovery.Walk(First, [[.. parts, after], [before, .. parts], parts[..2]]);
        Assert.Equal((First + 100, First), (cut.Vdl, cut.LastStart));
        Assert.Equal([0UL, First + 100, 0UL], cut.GroupEnds);
    }

    [Fact]
    public void The_start_of_the_last_record_is_known_when_its_end_is_the_known_vdl()
    {
        LogPosition[] parts = [Entry(First, First + 300, 0b11, LogEntryKind.RecordPart), Entry(First, First + 600, 0b11, LogEntryKind.RecordEnd)];
        var end = VdlRecovery.Walk(First + 600, [parts, parts]);
        Assert.Equal((First + 600, First), (end.Vdl, end.LastStart));
    }

    private static LogPosition Entry(ulong start, ulong end, ulong mask, LogEntryKind kind) => new(start, end, 0, mask, kind);

    private static GroupView View(params (ulong Scl, ulong RecordEnd)[] copies) =>
        GroupView.Of(0, copies.Select((c, i) => State(i, c.Scl, c.RecordEnd)));

    private static (ISegment Segment, SegmentState State) State(int copy, ulong scl, ulong recordEnd) => (
        new SimulatedSegment(new SimulatedNetwork(VolumeShape.ForCopies(3), 1), copy, 0),
        new SegmentState { Segment = new SegmentId(), Epoch = 1, Scl = scl, RecordEnd = recordEnd });
}
