namespace Redoubt.Wal.Tests.Splitting;

/// <summary>Which pages go when an SLRU is truncated, around the circle of ids.</summary>
public sealed class SlruOrderTests
{
    // 2^32 xids, 32,768 a page.
    private const uint ClogPages = 131_072;

    [Theory]
    [InlineData(0, 64, true)]
    [InlineData(63, 64, true)]
    [InlineData(63, 95, true)]
    [InlineData(63, 63, false)]
    [InlineData(64, 95, false)]
    [InlineData(64, 64, false)]
    [InlineData(1000, 64, false)]
    [InlineData(ClogPages - 1, 64, true)]
    [InlineData((ClogPages / 2) + 128, 64, true)]
    [InlineData((ClogPages / 2) - 128, 64, false)]
    [InlineData(ClogPages - 1, 0, true)]
    [InlineData(0, ClogPages - 32, false)]
    [InlineData(5, ClogPages - 32, false)]
    public void Whole_segments_before_the_page_go(uint page, uint firstKept, bool removed) =>
        Assert.Equal(removed, SlruOrder.IsRemoved(Fork.SlruXact, page, firstKept));

    [Theory]
    [InlineData(Fork.SlruXact, ClogPages)]
    [InlineData(Fork.SlruMultiXactOffsets, 2_097_152)]
    [InlineData(Fork.SlruCommitTs, 5_244_161)]
    public void Half_of_the_circle_goes_and_the_other_half_stays(Fork slru, uint pages)
    {
        uint kept = pages / 4 & ~31u;
        int removed = Enumerable.Range(0, (int)pages).Count(page => SlruOrder.IsRemoved(slru, (uint)page, kept));
        Assert.InRange(removed, ((int)pages / 2) - 64, (int)pages / 2);
    }

    [Theory]
    [InlineData(40, 32, 64, true)]
    [InlineData(33, 40, 64, true)]
    [InlineData(64, 40, 64, false)]
    [InlineData(95, 40, 95, false)]
    [InlineData(31, 40, 64, false)]
    [InlineData(40, 40, 63, false)]
    [InlineData(2_625_000, 2_600_000, 40, true)]
    [InlineData(5, 2_600_000, 40, true)]
    [InlineData(32, 2_600_000, 40, false)]
    [InlineData(2_500_000, 2_600_000, 40, false)]
    public void Members_go_from_one_file_to_another(uint page, uint from, uint to, bool removed) =>
        Assert.Equal(removed, SlruOrder.IsMembersPageIn(page, from, to));

    [Fact]
    public void Members_are_never_told_by_order() =>
        Assert.False(SlruOrder.IsRemoved(Fork.SlruMultiXactMembers, 0, 64));

    [Fact]
    public void Nothing_goes_when_the_page_in_use_would()
    {
        ControlState control = ControlState.Blank(PgVersion.Pg17);
        Assert.False(SlruOrder.IsApparentWraparound(Fork.SlruXact, 0, control));
        Assert.True(SlruOrder.IsApparentWraparound(Fork.SlruXact, 64, control));
        Assert.True(SlruOrder.IsApparentWraparound(Fork.SlruMultiXactOffsets, 64, control));
        Assert.True(SlruOrder.IsApparentWraparound(Fork.SlruCommitTs, 64, control));
    }
}
