using System.Buffers.Binary;
using Redoubt.Verify.Masks;
using Redoubt.Verify.Pages;
using Redoubt.Wal;

namespace Redoubt.Verify.Tests;

/// <summary>Whose pages are, for relations that no catalog knows; which pages of an SLRU go.</summary>
public sealed class PageOwnerTests
{
    [Theory]
    [InlineData(0, 0, RmgrId.Heap)]
    [InlineData(16, 0x0000, RmgrId.Btree)]
    [InlineData(16, 0xFF80, RmgrId.Hash)]
    [InlineData(16, 0xFF81, RmgrId.Gist)]
    [InlineData(8, 0xFF82, RmgrId.SpGist)]
    [InlineData(8, 0xFF83, RmgrId.Generic)]
    [InlineData(8, 0xF091, RmgrId.Brin)]
    [InlineData(8, 0xF092, RmgrId.Brin)]
    [InlineData(8, 0xF093, RmgrId.Brin)]
    [InlineData(8, 0x0002, RmgrId.Gin)]
    public void A_page_says_whose_it_is_by_its_special_space(int specialSize, int mark, byte rmgr)
    {
        byte[] page = Page(specialSize);
        BinaryPrimitives.WriteUInt16LittleEndian(page.AsSpan(8190), (ushort)mark);
        Assert.Equal(rmgr, PageOwner.Rmgr(page, 3));
    }

    [Fact]
    public void A_sequence_is_known_by_its_magic_on_its_only_page()
    {
        byte[] page = Page(8);
        BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(8184), 0x1717);
        Assert.Equal(RmgrId.Sequence, PageOwner.Rmgr(page, 0));
        Assert.Equal(RmgrId.Gin, PageOwner.Rmgr(page, 1));
    }

    [Fact]
    public void Members_may_fill_more_than_half_of_their_range()
    {
        string folder = ScratchFolder.Create("redoubt-slru-");
        try
        {
            const uint firstFile = 20_000, lastFile = 82_040, membersPerFile = 52_352;
            using var pages = new PageStore(folder);
            uint[] used = [firstFile, firstFile + 1, firstFile + 2, 60_000, lastFile, 0];
            foreach (uint file in used)
            {
                pages.Require(PageKey.Slru(Fork.SlruMultiXactMembers, file * SlruFile.Pages))[0] = 1;
            }

            pages.TruncateMembers(firstFile * SlruFile.Pages, (firstFile + 2) * SlruFile.Pages);
            Assert.Equal([firstFile + 2, 60_000, lastFile, 0], used.Where(Exists));

            // Across the end of the range.
            pages.TruncateMembers(lastFile * SlruFile.Pages, 1 * SlruFile.Pages);
            Assert.Equal([firstFile + 2, 60_000], used.Where(Exists));
            Assert.Equal(lastFile, SlruFile.Of(Fork.SlruMultiXactMembers, uint.MaxValue));
            Assert.Equal(1u, SlruFile.Of(Fork.SlruMultiXactMembers, membersPerFile));

            bool Exists(uint file) => !pages.Find(PageKey.Slru(Fork.SlruMultiXactMembers, file * SlruFile.Pages)).IsEmpty;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static byte[] Page(int specialSize)
    {
        byte[] page = new byte[PageRedo.PageSize];
        BinaryPrimitives.WriteUInt16LittleEndian(page.AsSpan(16), (ushort)(page.Length - specialSize));
        return page;
    }
}
