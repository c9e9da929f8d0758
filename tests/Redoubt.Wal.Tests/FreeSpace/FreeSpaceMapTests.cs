using CsCheck;

namespace Redoubt.Wal.Tests.FreeSpace;

public sealed class FreeSpaceMapTests
{
    // Positions known from PostgreSQL's own arithmetic: root, first middle, first leaf; 4069 leaves later the second middle page.
    [Theory]
    [InlineData(2, 0u, 0u)]
    [InlineData(1, 0u, 1u)]
    [InlineData(0, 0u, 2u)]
    [InlineData(0, 4068u, 4070u)]
    [InlineData(1, 1u, 4071u)]
    [InlineData(0, 4069u, 4072u)]
    public void Pages_are_laid_out_depth_first(int level, uint number, uint block)
    {
        Assert.Equal(block, FreeSpaceMap.BlockOf(level, number));
        Assert.Equal((level, number), FreeSpaceMap.Locate(block));
    }

    [Fact]
    public void Locate_is_the_inverse_of_BlockOf() => Gen.UInt[0, 1_000_000].Sample(block =>
    {
        var (level, number) = FreeSpaceMap.Locate(block);
        Assert.Equal(block, FreeSpaceMap.BlockOf(level, number));
    });

    [Fact]
    public void A_fork_of_one_leaf_has_three_blocks()
    {
        Assert.Equal(4069, FreeSpaceMap.SlotsPerPage);
        Assert.Equal(3u, FreeSpaceMap.BlocksFor(0));
        Assert.Equal(3u, FreeSpaceMap.BlocksFor(4068));
        Assert.Equal(4u, FreeSpaceMap.BlocksFor(4069));
    }

    [Fact]
    public void Every_inner_node_is_the_maximum_of_its_children() => Gen.Byte.Array[0, FreeSpaceMap.SlotsPerPage].Sample(slots =>
    {
        byte[] page = new byte[PageRedo.PageSize];
        FreeSpaceMap.BuildPage(slots, page);
        byte max = slots.Length == 0 ? (byte)0 : slots.Max();
        Assert.Equal(max, page[28]);
        if (max != 0)
        {
            Assert.True(FreeSpaceMap.Slots(page)[..slots.Length].SequenceEqual(slots));
        }
    }, iter: 200);

    [Theory]
    [InlineData(0, 0)]
    [InlineData(31, 0)]
    [InlineData(32, 1)]
    [InlineData(8127, 253)]
    [InlineData(8128, 254)]
    [InlineData(8159, 254)]
    [InlineData(8160, 255)]
    public void Categories_are_32_bytes_wide(int free, byte category) => Assert.Equal(category, FreeSpaceMap.Category(free));
}
