using System.Buffers.Binary;
using Redoubt.Verify.Masks;
using Redoubt.Wal;

namespace Redoubt.Verify.Tests;

/// <summary>Masks hide what PostgreSQL's hide and nothing more.</summary>
public sealed class PageMaskTests
{
    private const int TupleAt = 8152;

    [Fact]
    public void Heap_hides_lsn_hints_command_id_unused_space_and_padding()
    {
        byte[] page = HeapPage();
        byte[] other = HeapPage();
        other[0] = 9;
        other[8] = 7;
        other[10] |= 7;
        other[20] = 3;
        other[5000] = 1;
        other[TupleAt + 8] = 42;
        other[TupleAt + 21] |= 0x05;
        other[TupleAt + 36] = 0xEE;
        Assert.Equal(Masked(RmgrId.Heap, page), Masked(RmgrId.Heap, other));
    }

    [Theory]
    [InlineData(11, 0x80)]
    [InlineData(12, 0x04)]
    [InlineData(24, 0x01)]
    [InlineData(TupleAt, 0x01)]
    [InlineData(TupleAt + 4, 0x01)]
    [InlineData(TupleAt + 16, 0x01)]
    [InlineData(TupleAt + 18, 0x01)]
    [InlineData(TupleAt + 20, 0x01)]
    [InlineData(TupleAt + 24, 0x01)]
    public void Heap_shows_everything_else(int at, byte bit)
    {
        byte[] other = HeapPage();
        other[at] ^= bit;
        byte[]? masked = null;
        try
        {
            masked = Masked(RmgrId.Heap, other);
        }
        catch (InvalidPageException)
        {
            // Seen too.
        }

        Assert.NotEqual(Masked(RmgrId.Heap, HeapPage()), masked);
    }

    [Fact]
    public void Frozen_tuples_show_their_hint_bits()
    {
        byte[] page = HeapPage();
        page[TupleAt + 21] |= 0x03;
        byte[] other = (byte[])page.Clone();
        other[TupleAt + 21] ^= 0x10;
        Assert.NotEqual(Masked(RmgrId.Heap, page), Masked(RmgrId.Heap, other));
    }

    [Fact]
    public void Btree_hides_dead_flags_of_leaf_items_only()
    {
        byte[] leaf = BtreePage(flags: 1);
        byte[] dead = (byte[])leaf.Clone();
        dead[25] |= 0x80;
        dead[26] |= 0x01;
        Assert.Equal(Masked(RmgrId.Btree, leaf), Masked(RmgrId.Btree, dead));

        byte[] inner = BtreePage(flags: 0);
        byte[] innerDead = (byte[])inner.Clone();
        innerDead[26] |= 0x01;
        Assert.NotEqual(Masked(RmgrId.Btree, inner), Masked(RmgrId.Btree, innerDead));
    }

    [Fact]
    public void A_page_with_impossible_bounds_is_an_error()
    {
        byte[] page = HeapPage();
        BinaryPrimitives.WriteUInt16LittleEndian(page.AsSpan(14), 20);
        Assert.Throws<InvalidPageException>(() => Masked(RmgrId.Heap, page));
    }

    [Fact]
    public void A_resource_manager_without_mask_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Masked(RmgrId.Xlog, HeapPage()));

    private static byte[] Masked(byte rmgr, byte[] page)
    {
        byte[] copy = (byte[])page.Clone();
        PageMask.Apply(rmgr, copy, 5);
        return copy;
    }

    private static byte[] HeapPage()
    {
        byte[] page = new byte[PageRedo.PageSize];
        Header(page, lower: 28, upper: TupleAt, special: PageRedo.PageSize);
        BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(24), (uint)(TupleAt | (1 << 15) | (33 << 17)));
        page.AsSpan(TupleAt, 33).Fill(0x11);
        BinaryPrimitives.WriteUInt16LittleEndian(page.AsSpan(TupleAt + 20), 0x0002);
        page[TupleAt + 22] = 24;
        return page;
    }

    private static byte[] BtreePage(ushort flags)
    {
        byte[] page = new byte[PageRedo.PageSize];
        Header(page, lower: 28, upper: 8160, special: 8176);
        BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(24), 8160u | (1 << 15) | (16 << 17));
        page.AsSpan(8160, 16).Fill(0x22);
        BinaryPrimitives.WriteUInt16LittleEndian(page.AsSpan(8176 + 12), flags);
        return page;
    }

    private static void Header(Span<byte> page, ushort lower, ushort upper, ushort special)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(page[12..], lower);
        BinaryPrimitives.WriteUInt16LittleEndian(page[14..], upper);
        BinaryPrimitives.WriteUInt16LittleEndian(page[16..], special);
        BinaryPrimitives.WriteUInt16LittleEndian(page[18..], 8192 | 4);
    }
}
