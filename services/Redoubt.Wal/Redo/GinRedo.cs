using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>
/// Redo of GIN records (<c>RM_GIN_ID</c>; access/ginxlog.h, gin/ginxlog.c), one page of a record at a time. The same in 17 and 18.
/// Leaf pages of posting trees are in <see cref="GinRecompress"/>.
/// </summary>
internal static class GinRedo
{
    private const byte CreatePostingTree = 0x10;
    private const byte Insert = 0x20;
    private const byte Split = 0x30;
    private const byte DeletePage = 0x50;
    private const byte UpdateMetaPage = 0x60;
    private const byte InsertListPage = 0x70;
    private const byte DeleteListPage = 0x80;
    private const byte VacuumDataLeafPage = 0x90;

    /// <summary><c>GIN_INSERT_ISDATA</c>.</summary>
    private const int IsData = 0x01;

    /// <summary><c>GIN_INSERT_ISLEAF</c>.</summary>
    private const int IsLeaf = 0x02;

    /// <summary><c>sizeof(PostingItem)</c>: 4 bytes child block, 6 bytes key.</summary>
    private const int PostingItemSize = 10;

    /// <summary><c>sizeof(GinMetaPageData)</c>.</summary>
    private const int MetaSize = 56;

    /// <summary>Applies one page's part of a GIN record and stamps the page with the record's LSN.</summary>
    /// <exception cref="RedoException">The page or the record is not what redo requires.</exception>
    internal static void Apply(PgVersion version, in BlockChange change, Span<byte> page)
    {
        switch (change.Info, change.BlockId)
        {
            case (CreatePostingTree, 0):
                CreateTree(change, page);
                break;
            case (Insert, 0):
                InsertItem(change, page);
                break;
            case (Insert, 1):
            case (Split, 3):
                ClearFlags(change, page, GinOpaque.IncompleteSplit);
                break;
            case (VacuumDataLeafPage, 0):
                GinRecompress.Apply(change, page, change.BlockData);
                break;
            case (DeletePage, <= 2):
                DeleteTreePage(change, page);
                break;
            case (UpdateMetaPage, 0):
                // ginxlogUpdateMeta: locator (12 bytes, padded to 16), then the metapage.
                var main = new RedoCursor(change.MainData);
                main.Take(change, 16);
                InitMeta(change, page, main);
                break;
            case (UpdateMetaPage, 1):
                UpdateTail(change, page);
                break;
            case (InsertListPage, 0):
                FillListPage(change, page);
                break;
            case (DeleteListPage, 0):
                InitMeta(change, page, new RedoCursor(change.MainData));
                break;
            case (DeleteListPage, _):
                GinOpaque.Init(change, page, GinOpaque.Deleted);
                break;
            default:
                // XLOG_GIN_SPLIT and XLOG_GIN_VACUUM_PAGE carry images of the pages that they change.
                BufPage.Fail(change, $"no GIN record of this kind changes block reference {change.BlockId} without an image");
                break;
        }

        BufPage.SetLsn(page, change.Lsn);
    }

    /// <summary><c>ginxlogCreatePostingTree</c>: size, then posting list segments.</summary>
    private static void CreateTree(in BlockChange change, Span<byte> page)
    {
        var main = new RedoCursor(change.MainData);
        int size = (int)Math.Min(main.UInt32(change), int.MaxValue);
        GinOpaque.Init(change, page, GinOpaque.Data | GinOpaque.Leaf | GinOpaque.Compressed);
        GinOpaque.SetDataSize(change, page, size);
        main.Take(change, size).CopyTo(page[GinOpaque.DataAt..]);
    }

    /// <summary><c>ginxlogInsert</c>: flags; on an inner page also left and right child block, the right of which is a page split off
    /// the left.</summary>
    private static void InsertItem(in BlockChange change, Span<byte> page)
    {
        var main = new RedoCursor(change.MainData);
        int flags = main.UInt16(change);
        bool leaf = (flags & IsLeaf) != 0;
        uint rightChild = leaf ? GinOpaque.InvalidBlock : IndexTuple.Block(main.Take(change, 8)[4..]);
        if ((flags & IsData) == 0)
        {
            InsertEntry(change, page, rightChild);
        }
        else if (leaf)
        {
            GinRecompress.Apply(change, page, change.BlockData);
        }
        else
        {
            InsertPostingItem(change, page, rightChild);
        }
    }

    /// <summary><c>ginxlogInsertEntry</c>: offset, isDelete, padding, tuple.</summary>
    private static void InsertEntry(in BlockChange change, Span<byte> page, uint rightChild)
    {
        var data = new RedoCursor(change.BlockData);
        ReadOnlySpan<byte> header = data.Take(change, 4);
        int offset = BinaryPrimitives.ReadUInt16LittleEndian(header);
        if (offset == 0)
        {
            BufPage.Fail(change, "offset number 0");
        }

        if (rightChild != GinOpaque.InvalidBlock)
        {
            Span<byte> downlink = IndexTuple.OnPage(change, page, offset);
            IndexTuple.SetBlock(downlink, rightChild);
            IndexTuple.SetPosition(downlink, 0);
        }

        if (header[2] != 0)
        {
            BufPage.IndexTupleDelete(change, page, offset);
        }

        BufPage.AddItem(change, page, data.TakeIndexTuple(change, aligned: false), offset);
    }

    /// <summary><c>ginxlogInsertDataInternal</c>: offset, posting item. The item there now leads to the right half.</summary>
    private static void InsertPostingItem(in BlockChange change, Span<byte> page, uint rightChild)
    {
        var data = new RedoCursor(change.BlockData);
        int offset = data.UInt16(change);
        ReadOnlySpan<byte> item = data.Take(change, PostingItemSize);
        Span<byte> items = PostingItems(change, page, out Span<byte> opaque, out int count);
        if (offset < 1 || offset > count)
        {
            BufPage.Fail(change, $"posting item {offset} of {count}");
        }

        GinOpaque.SetDataSize(change, page, (count + 1) * PostingItemSize);
        int at = (offset - 1) * PostingItemSize;
        IndexTuple.SetBlock(items[at..], rightChild);
        items[at..(count * PostingItemSize)].CopyTo(items[(at + PostingItemSize)..]);
        item.CopyTo(items[at..]);
        GinOpaque.SetMaxOffset(opaque, count + 1);
    }

    /// <summary><c>ginxlogDeletePage</c>: parentOffset, padding, rightLink, deleteXid. Block 0 is the page, 1 its parent, 2 its left.</summary>
    private static void DeleteTreePage(in BlockChange change, Span<byte> page)
    {
        var main = new RedoCursor(change.MainData);
        ReadOnlySpan<byte> header = main.Take(change, 12);
        switch (change.BlockId)
        {
            case 0:
                Span<byte> opaque = GinOpaque.Of(change, page);
                GinOpaque.SetFlags(opaque, GinOpaque.Flags(opaque) | GinOpaque.Deleted);
                BufPage.SetPruneXid(page, BinaryPrimitives.ReadUInt32LittleEndian(header[8..]));
                break;
            case 1:
                RemovePostingItem(change, page, BinaryPrimitives.ReadUInt16LittleEndian(header));
                break;
            default:
                GinOpaque.SetRightLink(GinOpaque.Of(change, page), BinaryPrimitives.ReadUInt32LittleEndian(header[4..]));
                break;
        }
    }

    /// <summary><c>GinPageDeletePostingItem</c>.</summary>
    private static void RemovePostingItem(in BlockChange change, Span<byte> page, int offset)
    {
        Span<byte> items = PostingItems(change, page, out Span<byte> opaque, out int count);
        if (offset < 1 || offset > count)
        {
            BufPage.Fail(change, $"posting item {offset} of {count}");
        }

        int at = (offset - 1) * PostingItemSize;
        items[(at + PostingItemSize)..(count * PostingItemSize)].CopyTo(items[at..]);
        GinOpaque.SetMaxOffset(opaque, count - 1);
        GinOpaque.SetDataSize(change, page, (count - 1) * PostingItemSize);
    }

    private static Span<byte> PostingItems(in BlockChange change, Span<byte> page, out Span<byte> opaque, out int count)
    {
        opaque = GinOpaque.Of(change, page);
        count = GinOpaque.MaxOffset(opaque);
        if (count * PostingItemSize > GinOpaque.MaxDataSize)
        {
            BufPage.Fail(change, $"{count} posting items on a page");
        }

        return page.Slice(GinOpaque.DataAt, GinOpaque.MaxDataSize);
    }

    private static void InitMeta(in BlockChange change, Span<byte> page, RedoCursor meta)
    {
        GinOpaque.Init(change, page, GinOpaque.Meta);
        meta.Take(change, MetaSize).CopyTo(page[BufPage.HeaderSize..]);
        BufPage.SetLower(page, BufPage.HeaderSize + MetaSize);
    }

    /// <summary><c>ginxlogUpdateMeta</c> on the pending list's tail: …, prevTail, newRightlink, ntuples. It gets tuples or a successor.</summary>
    private static void UpdateTail(in BlockChange change, Span<byte> page)
    {
        var main = new RedoCursor(change.MainData);
        main.Take(change, 16 + MetaSize + 4);
        uint rightLink = main.UInt32(change);
        int count = (int)main.UInt32(change);
        Span<byte> opaque = GinOpaque.Of(change, page);
        if (count <= 0)
        {
            GinOpaque.SetRightLink(opaque, rightLink);
            return;
        }

        AppendTuples(change, page, count);
        GinOpaque.SetMaxOffset(opaque, GinOpaque.MaxOffset(opaque) + 1);
    }

    /// <summary><c>ginxlogInsertListPage</c>: rightlink, ntuples. The last page of a row has no right link.</summary>
    private static void FillListPage(in BlockChange change, Span<byte> page)
    {
        var main = new RedoCursor(change.MainData);
        uint rightLink = main.UInt32(change);
        int count = (int)main.UInt32(change);
        bool last = rightLink == GinOpaque.InvalidBlock;
        Span<byte> opaque = GinOpaque.Init(change, page, last ? GinOpaque.List | GinOpaque.ListFullRow : GinOpaque.List);
        GinOpaque.SetRightLink(opaque, rightLink);
        GinOpaque.SetMaxOffset(opaque, last ? 1 : 0);
        AppendTuples(change, page, count);
    }

    private static void AppendTuples(in BlockChange change, Span<byte> page, int count)
    {
        var data = new RedoCursor(change.BlockData);
        int offset = BufPage.MaxOffset(change, page) + 1;
        for (; count > 0; count--)
        {
            BufPage.AddItem(change, page, data.TakeIndexTuple(change, aligned: false), offset++);
        }

        if (!data.IsEmpty)
        {
            BufPage.Fail(change, $"{data.Rest.Length} bytes after the last tuple");
        }
    }

    private static void ClearFlags(in BlockChange change, Span<byte> page, int bits)
    {
        Span<byte> opaque = GinOpaque.Of(change, page);
        GinOpaque.SetFlags(opaque, GinOpaque.Flags(opaque) & ~bits);
    }
}
