using System.Buffers.Binary;
using Redoubt.Wal.Redo;

namespace Redoubt.Wal.Tests.IndexAccess;

/// <summary>Changes that a server of test size does not write, made by hand from access/hash_xlog.h and gist/gistxlog.c.</summary>
public sealed class HandMadeIndexChangeTests
{
    private const byte InitMetaPage = 0x00;
    private const byte AddOverflowPage = 0x30;
    private const byte SqueezePage = 0x80;
    private const int MetaAt = 24;

    private static readonly PageKey Meta = new(new RelFileLocator(1663, 5, 16384), Fork.Main, 0);
    private static readonly Lsn Lsn = new(0x2000060);

    [Fact]
    public void An_overflow_page_that_needs_a_new_bitmap_page_enters_both_into_the_metapage()
    {
        byte[] page = HashMetaPage();
        uint spare = U32(page, MetaAt + 36);
        uint before = U32(page, MetaAt + 52 + ((int)spare * 4));
        Redo(page, AddOverflowPage, 4, main: [0, 16, 0], data: [9, 0, 0, 0], references: [0, 0, 40, 0, 0, 0, 1, 0, 12, 0, 0, 0, 3, 0, 41, 0, 0, 0]);
        Assert.Equal(9u, U32(page, MetaAt + 40)); // hashm_firstfree
        Assert.Equal(1u, U32(page, MetaAt + 44)); // hashm_nmaps
        Assert.Equal(41u, U32(page, MetaAt + 444)); // hashm_mapp[0]
        Assert.Equal(before + 2, U32(page, MetaAt + 52 + ((int)spare * 4)));
    }

    [Fact]
    public void A_new_bitmap_page_marks_every_overflow_page_as_used()
    {
        byte[] page = new byte[PageRedo.PageSize];
        Redo(page, AddOverflowPage, 3, main: [0, 16, 0], data: [], references: [], block: 41);
        Assert.Equal(4096, page.AsSpan(MetaAt).IndexOfAnyExcept((byte)0xFF));
        Assert.Equal(MetaAt + 4096, BinaryPrimitives.ReadUInt16LittleEndian(page.AsSpan(12)));
        Assert.Equal(4, BinaryPrimitives.ReadUInt16LittleEndian(page.AsSpan(8176 + 12))); // LH_BITMAP_PAGE
    }

    [Fact]
    public void Squeezing_a_page_out_of_the_middle_links_its_successor_back()
    {
        byte[] page = new byte[PageRedo.PageSize];
        Redo(page, AddOverflowPage, 0, main: [0, 16, 1], data: [3, 0, 0, 0], references: [1, 0, 12, 0, 0, 0], block: 40);
        Assert.Equal(12u, U32(page, 8176)); // hasho_prevblkno
        Redo(page, SqueezePage, 4, main: [77, 0, 0, 0, 40, 0, 0, 0, 0, 0, 0, 1], data: [], references: [], block: 40);
        Assert.Equal(77u, U32(page, 8176));
    }

    [Fact]
    public void A_hash_metapage_of_many_tuples_begins_in_the_right_phase()
    {
        // 10 million tuples at 307 a bucket: 32,573 buckets wanted, so phase 4 of group 15 (32,768), as PostgreSQL makes it.
        byte[] page = new byte[PageRedo.PageSize];
        byte[] main = new byte[14];
        BinaryPrimitives.WriteDoubleLittleEndian(main, 1e7);
        BinaryPrimitives.WriteUInt16LittleEndian(main.AsSpan(12), 307);
        Redo(page, InitMetaPage, 0, main, data: [], references: []);
        Assert.Equal(32767u, U32(page, MetaAt + 24)); // hashm_maxbucket
        Assert.Equal(65535u, U32(page, MetaAt + 28)); // hashm_highmask
        Assert.Equal(32767u, U32(page, MetaAt + 32)); // hashm_lowmask
        Assert.Equal(33u, U32(page, MetaAt + 36)); // hashm_ovflpoint
    }

    [Fact]
    public void The_child_of_a_finished_GiST_split_gets_its_NSN_even_from_an_image()
    {
        byte[] image = new byte[PageRedo.PageSize];
        BufPage.Init(image, 16);
        image[8176 + 12] = 0x09; // F_LEAF | F_FOLLOW_RIGHT
        byte[] page = new byte[PageRedo.PageSize];
        var change = new BlockChange
        {
            Key = Meta,
            Lsn = Lsn,
            Rmgr = RmgrId.Gist,
            Info = 0x00,
            BlockId = 1,
            Flags = BlockChangeFlags.ApplyImage | BlockChangeFlags.WillInit,
            Image = image,
        };
        PageRedo.Apply(PgVersion.Pg17, change, page);
        Assert.Equal(Lsn, BufPage.GetLsn(page.AsSpan(8176)));
        Assert.Equal(1, page[8176 + 12]);
    }

    private static byte[] HashMetaPage()
    {
        byte[] page = new byte[PageRedo.PageSize];
        byte[] main = new byte[14];
        BinaryPrimitives.WriteUInt16LittleEndian(main.AsSpan(12), 307);
        Redo(page, InitMetaPage, 0, main, data: [], references: []);
        return page;
    }

    private static void Redo(byte[] page, byte info, byte blockId, byte[] main, byte[] data, byte[] references, uint block = 0)
    {
        var change = new BlockChange
        {
            Key = Meta with { Block = block },
            Lsn = Lsn,
            Rmgr = RmgrId.Hash,
            Info = info,
            BlockId = blockId,
            MainData = main,
            BlockData = data,
            References = references,
        };
        PageRedo.Apply(PgVersion.Pg17, change, page);
        Assert.Equal(Lsn, BufPage.GetLsn(page));
    }

    private static uint U32(byte[] page, int at) => BinaryPrimitives.ReadUInt32LittleEndian(page.AsSpan(at));
}
