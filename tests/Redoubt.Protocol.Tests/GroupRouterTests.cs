using CsCheck;
using Redoubt.Wal;

namespace Redoubt.Protocol.Tests;

public sealed class GroupRouterTests
{
    private static readonly Gen<PageKey> Keys = Gen.Select(Gen.UInt, Gen.UInt, Gen.UInt, Gen.Int[0, 3], Gen.UInt,
        (spc, db, rel, fork, block) => new PageKey(new RelFileLocator(spc, db, rel), (Fork)fork, block));

    [Fact]
    public void A_copy_of_a_database_stays_in_its_groups() => Gen.Select(Keys, Gen.UInt, Gen.UInt, Gen.Int[1, 64]).Sample((key, spc, db, groups) =>
    {
        var router = new GroupRouter(groups);
        var copy = key with { Rel = key.Rel with { SpcOid = spc, DbOid = db } };
        Assert.Equal(router.GroupOf(key), router.GroupOf(copy));
        Assert.InRange(router.GroupOf(key), 0, groups - 1);
    });

    [Fact]
    public void A_stripe_stays_together_and_stripes_spread()
    {
        var router = new GroupRouter(3);
        var rel = new RelFileLocator(1663, 5, 16384);
        Assert.Equal(router.GroupOf(new PageKey(rel, Fork.Main, 0)), router.GroupOf(new PageKey(rel, Fork.Main, GroupRouter.StripeBlocks - 1)));
        int[] counts = new int[3];
        for (uint stripe = 0; stripe < 3000; stripe++)
        {
            counts[router.GroupOf(new PageKey(rel, Fork.Main, stripe * GroupRouter.StripeBlocks))]++;
        }

        Assert.All(counts, c => Assert.InRange(c, 850, 1150));
    }

    [Theory]
    [InlineData(16384u, 0u)]
    [InlineData(16384u, 128u)]
    [InlineData(16385u, 0u)]
    public void The_placement_is_part_of_the_format(uint rel, uint block)
    {
        // Written down once from the formula in SplitMix64's publication, computed apart from the code under test.
        ulong x = ((ulong)rel << 32) ^ (block / 128 << 4);
        x = unchecked(x + 0x9E3779B97F4A7C15);
        x = unchecked((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9);
        x = unchecked((x ^ (x >> 27)) * 0x94D049BB133111EB);
        x ^= x >> 31;
        Assert.Equal((int)(x % 5), new GroupRouter(5).GroupOf(new PageKey(new RelFileLocator(1, 2, rel), Fork.Main, block)));
    }

    [Fact]
    public void Slru_pages_are_in_group_zero() =>
        Assert.Equal(0, new GroupRouter(7).GroupOf(PageKey.Slru(Fork.SlruXact, 12345)));
}
