using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>
/// Redo of hash index records (<c>RM_HASH_ID</c>; access/hash_xlog.h, hash/hash_xlog.c), one page of a record at a time.
/// The same in 17 and 18. Changes of the metapage are in <see cref="HashMeta"/>.
/// </summary>
/// <remarks>Several kinds name the primary bucket page as block 0 only to lock it: that page stays as it is, with its LSN.</remarks>
internal static class HashRedo
{
    private const byte InitMetaPage = 0x00;
    private const byte InitBitmapPage = 0x10;
    private const byte Insert = 0x20;
    private const byte AddOverflowPage = 0x30;
    private const byte SplitAllocatePage = 0x40;
    private const byte SplitComplete = 0x60;
    private const byte MovePageContents = 0x70;
    private const byte SqueezePage = 0x80;
    private const byte Delete = 0x90;
    private const byte SplitCleanup = 0xA0;
    private const byte UpdateMetaPage = 0xB0;
    private const byte VacuumOnePage = 0xC0;

    /// <summary>Applies one page's part of a hash record and stamps the page with the record's LSN if it changes.</summary>
    /// <exception cref="RedoException">The page or the record is not what redo requires.</exception>
    internal static void Apply(PgVersion version, in BlockChange change, Span<byte> page)
    {
        bool changed = true;
        switch (change.Info, change.BlockId)
        {
            case (InitMetaPage, 0):
                HashMeta.Init(change, page);
                break;
            case (InitBitmapPage, 0):
            case (AddOverflowPage, 3):
                InitBitmap(change, page);
                break;
            case (InitBitmapPage, 1):
                HashMeta.AddFirstBitmap(change, page);
                break;
            case (Insert, 0):
                BufPage.AddItem(change, page, change.BlockData, new RedoCursor(change.MainData).UInt16(change));
                break;
            case (Insert, 1):
                HashMeta.AddTuples(change, page, 1);
                break;
            case (AddOverflowPage, 0):
                uint bucket = new RedoCursor(change.BlockData).UInt32(change);
                HashOpaque.Init(change, page, References.Get(change, 1), bucket, HashOpaque.OverflowPage);
                break;
            case (AddOverflowPage, 1):
                HashOpaque.SetNext(HashOpaque.Of(change, page), References.Get(change, 0));
                break;
            case (AddOverflowPage, 2):
                SetBitmapBit(change, page, true);
                break;
            case (AddOverflowPage, 4):
                HashMeta.AddOverflowPage(change, page);
                break;
            case (SplitAllocatePage, 0):
                BeginSplit(change, page);
                break;
            case (SplitAllocatePage, 1):
                InitNewBucket(change, page);
                break;
            case (SplitAllocatePage, 2):
                HashMeta.Split(change, page);
                break;
            case (SplitComplete, 0 or 1):
                var flags = new RedoCursor(change.MainData);
                flags.Take(change, change.BlockId * 2);
                HashOpaque.SetFlags(HashOpaque.Of(change, page), flags.UInt16(change));
                break;
            case (MovePageContents or SqueezePage or Delete, 0):
                changed = false;
                break;
            case (MovePageContents, 1):
                AddItems(change, page, new RedoCursor(change.MainData).UInt16(change));
                break;
            case (MovePageContents, 2):
                BufPage.IndexMultiDelete(change, page, change.BlockData);
                break;
            case (SqueezePage, _):
                changed = Squeeze(change, page);
                break;
            case (Delete, 1):
                DeleteItems(change, page);
                break;
            case (SplitCleanup, 0):
                HashOpaque.ClearFlags(HashOpaque.Of(change, page), HashOpaque.NeedsSplitCleanup);
                break;
            case (UpdateMetaPage, 0):
                HashMeta.SetTuples(change, page);
                break;
            case (VacuumOnePage, 0):
                VacuumItems(change, page);
                break;
            case (VacuumOnePage, 1):
                HashMeta.AddTuples(change, page, -VacuumedCount(change));
                break;
            default:
                // XLOG_HASH_SPLIT_PAGE (0x50) always carries an image.
                BufPage.Fail(change, $"no hash record of this kind changes block reference {change.BlockId} without an image");
                break;
        }

        if (changed)
        {
            BufPage.SetLsn(page, change.Lsn);
        }
    }

    private static void InitBitmap(in BlockChange change, Span<byte> page)
    {
        int bytes = new RedoCursor(change.MainData).UInt16(change);
        HashOpaque.Init(change, page, HashOpaque.InvalidBlock, HashOpaque.InvalidBucket, HashOpaque.BitmapPage);
        if (bytes > HashOpaque.MaxContents)
        {
            BufPage.Fail(change, $"bitmap of {bytes} bytes");
        }

        page.Slice(BufPage.HeaderSize, bytes).Fill(0xFF);
        BufPage.SetLower(page, BufPage.HeaderSize + bytes);
    }

    private static void SetBitmapBit(in BlockChange change, Span<byte> page, bool value)
    {
        uint bit = new RedoCursor(change.BlockData).UInt32(change);
        if (bit >= HashOpaque.MaxContents * 8)
        {
            BufPage.Fail(change, $"bit {bit} of a bitmap page");
        }

        // Words of 32 bits, little-endian: the same as bytes of 8.
        ref byte at = ref page[BufPage.HeaderSize + (int)(bit / 8)];
        int mask = 1 << (int)(bit % 8);
        at = (byte)(value ? at | mask : at & ~mask);
    }

    /// <summary><c>xl_hash_split_allocate_page</c> on the old bucket: new_bucket, old_bucket_flag, new_bucket_flag, flags.</summary>
    private static void BeginSplit(in BlockChange change, Span<byte> page)
    {
        var main = new RedoCursor(change.MainData);
        uint newBucket = main.UInt32(change);
        Span<byte> opaque = HashOpaque.Of(change, page);
        HashOpaque.SetFlags(opaque, main.UInt16(change));
        HashOpaque.SetPrevious(opaque, newBucket);
    }

    private static void InitNewBucket(in BlockChange change, Span<byte> page)
    {
        var main = new RedoCursor(change.MainData);
        uint newBucket = main.UInt32(change);
        main.UInt16(change);
        HashOpaque.Init(change, page, newBucket, newBucket, main.UInt16(change));
    }

    /// <summary>Adds tuples that came from another page: block data is their offset numbers, then the tuples.</summary>
    private static void AddItems(in BlockChange change, Span<byte> page, int count)
    {
        if (count == 0)
        {
            return;
        }

        var items = new RedoCursor(change.BlockData);
        var offsets = new RedoCursor(items.Take(change, count * 2));
        while (!items.IsEmpty)
        {
            ReadOnlySpan<byte> item = items.TakeIndexTuple(change, aligned: true);
            BufPage.AddItem(change, page, item, offsets.UInt16(change));
        }

        if (!offsets.IsEmpty)
        {
            BufPage.Fail(change, $"{count} offset numbers but fewer tuples");
        }
    }

    /// <summary><c>xl_hash_squeeze_page</c>: prevblkno, nextblkno, ntups, is_prim_bucket_same_wrt, is_prev_bucket_same_wrt.</summary>
    /// <returns>False when the page is only named, not changed.</returns>
    private static bool Squeeze(in BlockChange change, Span<byte> page)
    {
        var main = new RedoCursor(change.MainData);
        uint previous = main.UInt32(change);
        uint next = main.UInt32(change);
        int count = main.UInt16(change);
        main.Byte(change);
        bool writePageIsPrevious = main.Byte(change) != 0;
        switch (change.BlockId)
        {
            case 1:
                AddItems(change, page, count);
                if (writePageIsPrevious)
                {
                    HashOpaque.SetNext(HashOpaque.Of(change, page), next);
                }

                return count > 0 || writePageIsPrevious;
            case 2:
                HashOpaque.Init(change, page, HashOpaque.InvalidBlock, HashOpaque.InvalidBucket, HashOpaque.UnusedPage);
                return true;
            case 3:
                if (writePageIsPrevious)
                {
                    return false;
                }

                HashOpaque.SetNext(HashOpaque.Of(change, page), next);
                return true;
            case 4:
                HashOpaque.SetPrevious(HashOpaque.Of(change, page), previous);
                return true;
            case 5:
                SetBitmapBit(change, page, false);
                return true;
            case 6:
                HashMeta.SetFirstFree(change, page);
                return true;
            default:
                BufPage.Fail(change, $"a squeeze has no block reference {change.BlockId}");
                return false;
        }
    }

    /// <summary><c>xl_hash_delete</c>: clear_dead_marking, is_primary_bucket_page.</summary>
    private static void DeleteItems(in BlockChange change, Span<byte> page)
    {
        BufPage.IndexMultiDelete(change, page, change.BlockData);
        if (new RedoCursor(change.MainData).Byte(change) != 0)
        {
            HashOpaque.ClearFlags(HashOpaque.Of(change, page), HashOpaque.HasDeadTuples);
        }
    }

    /// <summary><c>xl_hash_vacuum_one_page</c>: conflict horizon, ntuples, isCatalogRel, padding, offset numbers.</summary>
    private static void VacuumItems(in BlockChange change, Span<byte> page)
    {
        var main = new RedoCursor(change.MainData);
        main.Take(change, 8);
        BufPage.IndexMultiDelete(change, page, main.Take(change, VacuumedCount(change) * 2));
        HashOpaque.ClearFlags(HashOpaque.Of(change, page), HashOpaque.HasDeadTuples);
    }

    private static int VacuumedCount(in BlockChange change) =>
        BinaryPrimitives.ReadUInt16LittleEndian(new RedoCursor(change.MainData).Take(change, 8)[4..]);
}
