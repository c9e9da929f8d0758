using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>
/// Redo of B-tree records (<c>RM_BTREE_ID</c>; access/nbtxlog.h, nbtree/nbtxlog.c), one page of a record at a time:
/// info and block id select what happens to the page. What a page needs of its siblings is their block numbers.
/// </summary>
/// <remarks>Since 18, vacuum also zeroes the page's cycle id. The rest is the same in 17 and 18.</remarks>
internal static partial class BtreeRedo
{
    private const byte InsertLeaf = 0x00;
    private const byte InsertUpper = 0x10;
    private const byte InsertMeta = 0x20;
    private const byte SplitL = 0x30;
    private const byte SplitR = 0x40;
    private const byte InsertPost = 0x50;
    private const byte Dedup = 0x60;
    private const byte Delete = 0x70;
    private const byte UnlinkPage = 0x80;
    private const byte UnlinkPageMeta = 0x90;
    private const byte NewRoot = 0xA0;
    private const byte MarkPageHalfDead = 0xB0;
    private const byte Vacuum = 0xC0;
    private const byte MetaCleanup = 0xE0;

    /// <summary><c>P_NONE</c>.</summary>
    private const uint None = 0;

    /// <summary><c>P_HIKEY</c>.</summary>
    private const int HighKey = 1;

    /// <summary>Applies one page's part of a B-tree record and stamps the page with the record's LSN.</summary>
    /// <exception cref="RedoException">The page or the record is not what redo requires.</exception>
    internal static void Apply(PgVersion version, in BlockChange change, Span<byte> page)
    {
        switch (change.Info, change.BlockId)
        {
            case (InsertLeaf or InsertUpper or InsertMeta, 0):
                Insert(change, page);
                break;
            case (InsertPost, 0):
                InsertSplittingPosting(change, page);
                break;
            case (SplitL or SplitR, 0):
                SplitLeft(change, page);
                break;
            case (SplitL or SplitR, 1):
                SplitRight(change, page);
                break;
            case (SplitL or SplitR, 2):
                BtreeOpaque.SetPrevious(BtreeOpaque.Of(change, page), References.Get(change, 1));
                break;
            case (InsertUpper or InsertMeta, 1):
            case (SplitL or SplitR, 3):
            case (NewRoot, 1):
                ClearIncompleteSplit(change, page);
                break;
            case (InsertMeta, 2):
            case (NewRoot, 2):
            case (UnlinkPageMeta, 4):
            case (MetaCleanup, 0):
                RestoreMeta(change, page);
                break;
            case (Dedup, 0):
                Deduplicate(change, page);
                break;
            case (Vacuum, 0):
                DeleteItems(change, page, change.MainData);
                if (version >= PgVersion.Pg18)
                {
                    BtreeOpaque.SetCycleId(BtreeOpaque.Of(change, page), 0);
                }

                break;
            case (Delete, 0):
                // xl_btree_delete: the same counts behind the conflict horizon.
                var main = new RedoCursor(change.MainData);
                main.Take(change, 4);
                DeleteItems(change, page, main.Rest);
                break;
            case (MarkPageHalfDead, 0):
                MarkHalfDead(change, page);
                break;
            case (MarkPageHalfDead, 1):
                RemoveDownlink(change, page);
                break;
            case (UnlinkPage or UnlinkPageMeta, <= 3):
                Unlink(change, page);
                break;
            case (NewRoot, 0):
                MakeRoot(change, page);
                break;
            default:
                BufPage.Fail(change, $"no B-tree record of this kind has a block reference {change.BlockId}");
                break;
        }

        BufPage.SetLsn(page, change.Lsn);
    }

    /// <summary>Puts a page's tuples back (<c>_bt_restore_page</c>): the data is the former page from pd_upper to pd_special,
    /// the item with the highest offset number first.</summary>
    private static void RestoreItems(in BlockChange change, Span<byte> page, ReadOnlySpan<byte> data)
    {
        int count = 0;
        for (var cursor = new RedoCursor(data); !cursor.IsEmpty; count++)
        {
            cursor.TakeIndexTuple(change, aligned: true);
        }

        int lower = BufPage.HeaderSize + (count * BufPage.ItemIdSize);
        int upper = BufPage.GetUpper(page) - data.Length;
        if (lower > upper)
        {
            BufPage.Fail(change, $"{count} items of {data.Length} bytes do not fit on a page");
        }

        data.CopyTo(page[upper..]);
        int at = upper;
        for (int offset = count; offset > 0; offset--)
        {
            int size = BufPage.MaxAlign(IndexTuple.Size(page[at..]));
            BufPage.SetItemId(page, offset, ItemId.Make(at, ItemId.Normal, size));
            at += size;
        }

        BufPage.SetLower(page, lower);
        BufPage.SetUpper(page, upper);
    }

    /// <summary><c>_bt_restore_meta</c> from <c>xl_btree_metadata</c>.</summary>
    private static void RestoreMeta(in BlockChange change, Span<byte> page)
    {
        const int MetaSize = 48;
        const uint Magic = 0x053162;
        ReadOnlySpan<byte> data = new RedoCursor(change.BlockData).Take(change, 28)[..25];
        BtreeOpaque.Init(page);
        Span<byte> meta = page.Slice(BufPage.HeaderSize, MetaSize);
        BinaryPrimitives.WriteUInt32LittleEndian(meta, Magic);
        data[..24].CopyTo(meta[4..]);
        BinaryPrimitives.WriteDoubleLittleEndian(meta[32..], -1.0);
        meta[40] = data[24];
        BtreeOpaque.SetFlags(BtreeOpaque.Of(change, page), BtreeOpaque.Meta);
        BufPage.SetLower(page, BufPage.HeaderSize + MetaSize);
    }

    private static void ClearIncompleteSplit(in BlockChange change, Span<byte> page)
    {
        Span<byte> opaque = BtreeOpaque.Of(change, page);
        BtreeOpaque.SetFlags(opaque, BtreeOpaque.Flags(opaque) & ~BtreeOpaque.IncompleteSplit);
    }

    private static void Insert(in BlockChange change, Span<byte> page)
    {
        int offset = new RedoCursor(change.MainData).UInt16(change);
        BufPage.AddItem(change, page, change.BlockData, CheckedOffset(change, offset));
    }

    /// <summary><c>XLOG_BTREE_INSERT_POST</c>: the new tuple's TID falls inside the posting list before it. It takes its place there,
    /// and the tuple is inserted with the list's last TID.</summary>
    private static void InsertSplittingPosting(in BlockChange change, Span<byte> page)
    {
        int offset = CheckedOffset(change, new RedoCursor(change.MainData).UInt16(change));
        var cursor = new RedoCursor(change.BlockData);
        int at = cursor.UInt16(change);
        ReadOnlySpan<byte> item = cursor.TakeIndexTuple(change, aligned: false);
        if (!cursor.IsEmpty)
        {
            BufPage.Fail(change, $"{cursor.Rest.Length} bytes after the new tuple");
        }

        Span<byte> tid = stackalloc byte[IndexTuple.TidSize];
        item[..IndexTuple.TidSize].CopyTo(tid);
        BtreePosting.Swap(change, BufPage.Item(change, page, offset - 1), at, tid);
        BufPage.AddItem(change, page, item, offset);
        tid.CopyTo(BufPage.Item(change, page, offset));
    }

    private static int CheckedOffset(in BlockChange change, int offset)
    {
        if (offset == 0)
        {
            BufPage.Fail(change, "offset number 0");
        }

        return offset;
    }

    private static void MakeRoot(in BlockChange change, Span<byte> page)
    {
        uint level = BinaryPrimitives.ReadUInt32LittleEndian(new RedoCursor(change.MainData).Take(change, 8)[4..]);
        BtreeOpaque.Init(page);
        Span<byte> opaque = BtreeOpaque.Of(change, page);
        BtreeOpaque.SetLevel(opaque, level);
        BtreeOpaque.SetFlags(opaque, level == 0 ? BtreeOpaque.Root | BtreeOpaque.Leaf : BtreeOpaque.Root);
        if (level > 0)
        {
            RestoreItems(change, page, change.BlockData);
        }
    }
}
