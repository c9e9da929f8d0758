using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>
/// Redo of GiST records (<c>RM_GIST_ID</c>; access/gistxlog.h, gist/gistxlog.c), one page of a record at a time. The same in 17 and 18.
/// </summary>
internal static class GistRedo
{
    private const byte PageUpdate = 0x00;
    private const byte Delete = 0x10;
    private const byte PageSplit = 0x30;
    private const byte PageDelete = 0x60;

    /// <summary><c>GIST_ROOT_BLKNO</c>.</summary>
    private const uint RootBlock = 0;

    private const uint InvalidBlock = 0xFFFFFFFF;

    private const int Leaf = 1 << 0;
    private const int Deleted = 1 << 1;
    private const int TuplesDeleted = 1 << 2;
    private const int FollowRight = 1 << 3;
    private const int HasGarbage = 1 << 4;

    /// <summary><c>sizeof(GISTPageOpaqueData)</c>: NSN (as an LSN), right link, flags, page id.</summary>
    private const int OpaqueSize = 16;

    private const ushort PageId = 0xFF81;

    /// <summary>Applies one page's part of a GiST record and stamps the page with the record's LSN.</summary>
    /// <exception cref="RedoException">The page or the record is not what redo requires.</exception>
    internal static void Apply(PgVersion version, in BlockChange change, Span<byte> page)
    {
        switch (change.Info, change.BlockId)
        {
            case (PageUpdate, 0):
                Update(change, page);
                break;
            case (PageUpdate, 1):
            case (PageSplit, 0):
                ClearFollowRight(change, page);
                break;
            case (PageSplit, _):
                Split(change, page);
                break;
            case (Delete, 0):
                DeleteItems(change, page);
                break;
            case (PageDelete, 0):
                SetDeleted(change, page);
                break;
            case (PageDelete, 1):
                var main = new RedoCursor(change.MainData);
                main.Take(change, 8);
                BufPage.IndexTupleDelete(change, page, main.UInt16(change));
                break;
            default:
                BufPage.Fail(change, $"no GiST record of this kind has a block reference {change.BlockId}");
                break;
        }

        BufPage.SetLsn(page, change.Lsn);
    }

    /// <summary>What redo does to a page whose image it has just restored: the child whose split is complete gets the record's LSN as NSN,
    /// which the image cannot hold (<c>gistRedoClearFollowRight</c>).</summary>
    internal static void AfterImage(in BlockChange change, Span<byte> page)
    {
        if ((change.Info, change.BlockId) is (PageUpdate, 1) or (PageSplit, 0))
        {
            ClearFollowRight(change, page);
        }
    }

    private static void ClearFollowRight(in BlockChange change, Span<byte> page)
    {
        Span<byte> opaque = Opaque(change, page);
        BufPage.SetLsn(opaque, change.Lsn);
        SetFlags(opaque, Flags(opaque) & ~FollowRight);
    }

    /// <summary><c>gistxlogPageUpdate</c>: ntodelete, ntoinsert; block data is offset numbers, then tuples to append.
    /// One of each is a replacement in place.</summary>
    private static void Update(in BlockChange change, Span<byte> page)
    {
        var main = new RedoCursor(change.MainData);
        int deleted = main.UInt16(change);
        int inserted = main.UInt16(change);
        var data = new RedoCursor(change.BlockData);
        if (deleted == 1 && inserted == 1)
        {
            int offset = data.UInt16(change);
            if (!BufPage.IndexTupleOverwrite(change, page, offset, data.TakeIndexTuple(change, aligned: false)))
            {
                BufPage.Fail(change, $"no room for the new tuple {offset}");
            }
        }
        else if (deleted > 0)
        {
            BufPage.IndexMultiDelete(change, page, data.Take(change, deleted * 2));
            Span<byte> opaque = Opaque(change, page);
            if ((Flags(opaque) & Leaf) != 0)
            {
                SetFlags(opaque, Flags(opaque) | TuplesDeleted);
            }
        }

        Append(change, page, data);
    }

    /// <summary><c>gistxlogDelete</c>: conflict horizon, ntodelete, isCatalogRel, padding, offset numbers.</summary>
    /// <remarks>PostgreSQL's redo also sets F_TUPLES_DELETED here, which the primary (<c>gistprunepage</c>) does not and nothing reads.
    /// The page follows the primary.</remarks>
    private static void DeleteItems(in BlockChange change, Span<byte> page)
    {
        var main = new RedoCursor(change.MainData);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(main.Take(change, 8)[4..]);
        BufPage.IndexMultiDelete(change, page, main.Take(change, count * 2));
        Span<byte> opaque = Opaque(change, page);
        SetFlags(opaque, Flags(opaque) & ~HasGarbage);
    }

    /// <summary><c>gistxlogPageSplit</c>: origrlink, orignsn, origleaf, npage, markfollowright. Block references 1 … npage are the pages
    /// from left to right, each with its tuples; when the root splits the first of them is the new root.</summary>
    private static void Split(in BlockChange change, Span<byte> page)
    {
        ReadOnlySpan<byte> main = new RedoCursor(change.MainData).Take(change, 21);
        uint rightLink = BinaryPrimitives.ReadUInt32LittleEndian(main);
        var nsn = new Lsn(BinaryPrimitives.ReadUInt64LittleEndian(main[8..]));
        bool leaf = main[16] != 0;
        int pages = BinaryPrimitives.ReadUInt16LittleEndian(main[18..]);
        bool markFollowRight = main[20] != 0;

        bool isRoot = change.Key.Block == RootBlock;
        bool isLast = change.BlockId >= pages;
        int flags = leaf && !isRoot ? Leaf : 0;
        if (isRoot)
        {
            rightLink = InvalidBlock;
        }
        else if (!isLast)
        {
            rightLink = References.Get(change, change.BlockId + 1);
            if (markFollowRight && References.Get(change, 1) != RootBlock)
            {
                flags |= FollowRight;
            }
        }

        BufPage.Init(page, OpaqueSize);
        Span<byte> opaque = Opaque(change, page);
        BufPage.SetLsn(opaque, nsn);
        BinaryPrimitives.WriteUInt32LittleEndian(opaque[8..], rightLink);
        SetFlags(opaque, flags);
        BinaryPrimitives.WriteUInt16LittleEndian(opaque[14..], PageId);

        var data = new RedoCursor(change.BlockData);
        uint count = data.UInt32(change);
        Append(change, page, data);
        if (count != BufPage.MaxOffset(change, page))
        {
            BufPage.Fail(change, $"{count} tuples promised, {BufPage.MaxOffset(change, page)} found");
        }
    }

    /// <summary><c>GistPageSetDeleted</c> from <c>gistxlogPageDelete</c>: deleteXid, downlinkOffset.</summary>
    private static void SetDeleted(in BlockChange change, Span<byte> page)
    {
        Span<byte> opaque = Opaque(change, page);
        SetFlags(opaque, Flags(opaque) | Deleted);
        new RedoCursor(change.MainData).Take(change, 8).CopyTo(page[BufPage.HeaderSize..]);
        BufPage.SetLower(page, BufPage.HeaderSize + 8);
    }

    private static void Append(in BlockChange change, Span<byte> page, RedoCursor tuples)
    {
        for (int offset = BufPage.MaxOffset(change, page) + 1; !tuples.IsEmpty; offset++)
        {
            BufPage.AddItem(change, page, tuples.TakeIndexTuple(change, aligned: false), offset);
        }
    }

    private static Span<byte> Opaque(in BlockChange change, Span<byte> page) => BufPage.Special(change, page, OpaqueSize);

    private static int Flags(ReadOnlySpan<byte> opaque) => BinaryPrimitives.ReadUInt16LittleEndian(opaque[12..]);

    private static void SetFlags(Span<byte> opaque, int flags) => BinaryPrimitives.WriteUInt16LittleEndian(opaque[12..], (ushort)flags);
}
