namespace Redoubt.Wal.Tests.Splitting;

/// <summary>
/// The visibility-map bits that heap records clear: older minor releases do not name the map's page in the record, newer ones do
/// (access/heapam_xlog.h, HEAP_*_BLKREF_VM). Both must clear exactly the same bits.
/// </summary>
public sealed class VisibilityMapTests
{
    private const uint PerPage = 32672;
    private static readonly RelFileLocator Rel = new(1663, 5, 20000);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_delete_clears_both_bits_of_its_heap_block_only(bool named)
    {
        var record = new RecordBuilder(RmgrId.Heap, 0x10) { Xid = 900 }
            .Block(0, Rel, Fork.Main, PerPage + 6)
            .Main(RecordBuilder.U32(900), RecordBuilder.U16(1), [0, 1]);
        if (named)
        {
            record.Block(1, Rel, Fork.VisibilityMap, 1);
        }

        SplitResult split = SplitResult.Of(record.Record(), TestControl.Make());
        byte[] page = AfterClearing(split, 1);
        Assert.Equal(0b11001111, page[24 + 1]);
        Assert.Equal(1, page.AsSpan(24).IndexOfAnyExcept((byte)0xFF));
        Assert.Equal(-1, page.AsSpan(26).IndexOfAnyExcept((byte)0xFF));
        Assert.Equal(named ? 0x2000100u : 0u, Lsn(page));
        Assert.Equal(2, split.Changes.Count);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_lock_clears_the_frozen_bit_only(bool named)
    {
        var record = new RecordBuilder(RmgrId.Heap, 0x60) { Xid = 900 }
            .Block(0, Rel, Fork.Main, 0)
            .Main(RecordBuilder.U32(900), RecordBuilder.U16(1), [2, 1]);
        if (named)
        {
            record.Block(1, Rel, Fork.VisibilityMap, 0);
        }

        byte[] page = AfterClearing(SplitResult.Of(record.Record(), TestControl.Make()), 0);
        Assert.Equal(0b11111101, page[24]);
    }

    [Fact]
    public void An_update_without_named_map_pages_clears_both_blocks_on_both_pages()
    {
        SplitResult split = SplitResult.Of(Update(newBlock: 5, oldBlock: PerPage, flags: 3).Record(), TestControl.Make());
        Assert.Equal(0b11110011, AfterClearing(split, 0)[24 + 1]);
        Assert.Equal(0b11111100, AfterClearing(split, 1)[24]);
    }

    [Fact]
    public void An_update_with_one_named_map_page_clears_both_blocks_there()
    {
        SplitResult split = SplitResult.Of(
            Update(newBlock: 5, oldBlock: 0, flags: 3).Block(2, Rel, Fork.VisibilityMap, 0).Record(), TestControl.Make());
        byte[] page = AfterClearing(split, 0);
        Assert.Equal(0b11111100, page[24]);
        Assert.Equal(0b11110011, page[25]);
        Assert.Equal(0x2000100u, Lsn(page));
        Assert.DoesNotContain(split.Changes, change => change.Encoded[0] == BlockChange.Implicit);
    }

    [Fact]
    public void An_update_whose_old_block_lies_on_another_map_page_clears_it_only_where_that_page_is_named()
    {
        SplitResult newOnly = SplitResult.Of(
            Update(newBlock: 5, oldBlock: PerPage, flags: 3).Block(2, Rel, Fork.VisibilityMap, 0).Record(), TestControl.Make());
        Assert.Equal(0b11110011, AfterClearing(newOnly, 0)[25]);
        Assert.Equal(0xFF, AfterClearing(newOnly, 0)[24]);
        Assert.Equal(0xFF, AfterClearing(newOnly, 1)[24]);

        SplitResult both = SplitResult.Of(
            Update(newBlock: 5, oldBlock: PerPage, flags: 3).Block(2, Rel, Fork.VisibilityMap, 0).Block(3, Rel, Fork.VisibilityMap, 1).Record(),
            TestControl.Make());
        Assert.Equal(0b11110011, AfterClearing(both, 0)[25]);
        Assert.Equal(0b11111100, AfterClearing(both, 1)[24]);

        SplitResult oldOnly = SplitResult.Of(
            Update(newBlock: 5, oldBlock: 6, flags: 1).Block(3, Rel, Fork.VisibilityMap, 0).Record(), TestControl.Make());
        Assert.Equal(0b11001111, AfterClearing(oldOnly, 0)[25]);
    }

    [Fact]
    public void Truncation_cuts_the_maps_and_clears_their_tails()
    {
        SplitResult split = SplitResult.Of(
            new RecordBuilder(RmgrId.Storage, 0x20).Main(RecordBuilder.U32(PerPage + 5), RecordBuilder.U32(1663, 5, 20000), RecordBuilder.U32(7)).Record(),
            TestControl.Make());
        Assert.Equal(
            [
                $"created {Rel} Main", $"truncated {Rel} Main {PerPage + 5}",
                $"truncated {Rel} FreeSpaceMap {FreeSpaceMap.BlockOf(0, (PerPage + 5) / FreeSpaceMap.SlotsPerPage) + 1}",
                $"truncated {Rel} VisibilityMap 2",
            ],
            split.Events);
        byte[] page = AfterClearing(split, 1);
        Assert.Equal(0xFF, page[24]);
        Assert.Equal(0b00000011, page[25]);
        Assert.Equal(-1, page.AsSpan(26).IndexOfAnyExcept((byte)0));

        byte[] map = new byte[8192];
        byte[] slots = new byte[FreeSpaceMap.SlotsPerPage];
        Array.Fill(slots, (byte)200);
        FreeSpaceMap.BuildPage(slots, map);
        int keep = (int)((PerPage + 5) % FreeSpaceMap.SlotsPerPage);
        split.Apply(new PageKey(Rel, Fork.FreeSpaceMap, FreeSpaceMap.BlockOf(0, (PerPage + 5) / FreeSpaceMap.SlotsPerPage)), map);
        Assert.Equal(keep, FreeSpaceMap.Slots(map).IndexOf((byte)0));
        Assert.Equal(-1, FreeSpaceMap.Slots(map)[keep..].IndexOfAnyExcept((byte)0));
    }

    private static RecordBuilder Update(uint newBlock, uint oldBlock, byte flags) => new RecordBuilder(RmgrId.Heap, 0x20) { Xid = 900 }
        .Main(RecordBuilder.U32(900), RecordBuilder.U16(1), [0, flags], RecordBuilder.U32(0), RecordBuilder.U16(1))
        .Block(0, Rel, Fork.Main, newBlock, [1, 0, 0, 0, 24, 0])
        .Block(1, Rel, Fork.Main, oldBlock);

    private static byte[] AfterClearing(SplitResult split, uint mapBlock)
    {
        byte[] page = new byte[8192];
        page[13] = page[15] = page[17] = 0x20;
        page.AsSpan(24).Fill(0xFF);
        split.Apply(new PageKey(Rel, Fork.VisibilityMap, mapBlock), page);
        return page;
    }

    private static uint Lsn(byte[] page) => BitConverter.ToUInt32(page, 4);
}
