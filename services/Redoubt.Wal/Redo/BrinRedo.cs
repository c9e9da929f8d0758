using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>
/// Redo of BRIN records (<c>RM_BRIN_ID</c>; access/brin_xlog.h, brin/brin_xlog.c), one page of a record at a time. The same in 17 and 18.
/// </summary>
internal static class BrinRedo
{
    private const byte CreateIndex = 0x00;
    private const byte Insert = 0x10;
    private const byte Update = 0x20;
    private const byte SamePageUpdate = 0x30;
    private const byte RevmapExtend = 0x40;
    private const byte Desummarize = 0x50;
    private const byte OpMask = 0x70;
    private const byte InitPage = 0x80;

    private const ushort MetaType = 0xF091;
    private const ushort RevmapType = 0xF092;
    private const ushort RegularType = 0xF093;

    /// <summary><c>sizeof(BrinSpecialSpace)</c>: four uint16s, flags and type last.</summary>
    private const int SpecialSize = 8;

    private const uint MetaMagic = 0xA8109CFA;

    /// <summary><c>sizeof(BrinMetaPageData)</c>: magic, version, pagesPerRange, lastRevmapPage.</summary>
    private const int MetaSize = 16;

    /// <summary><c>REVMAP_PAGE_MAXITEMS</c>: TIDs on a revmap page.</summary>
    private const int RevmapItems = (BufPage.Size - BufPage.HeaderSize - SpecialSize) / IndexTuple.TidSize;

    /// <summary>Applies one page's part of a BRIN record and stamps the page with the record's LSN.</summary>
    /// <exception cref="RedoException">The page or the record is not what redo requires.</exception>
    internal static void Apply(PgVersion version, in BlockChange change, Span<byte> page)
    {
        var main = new RedoCursor(change.MainData);
        switch (change.Info & OpMask, change.BlockId)
        {
            case (CreateIndex, 0):
                InitMeta(change, page, main.UInt32(change), main.UInt16(change));
                break;
            case (Update, 2):
                BufPage.IndexTupleDeleteNoCompact(change, page, main.UInt16(change));
                break;
            case (Update, 0 or 1):
                // xl_brin_update: oldOffnum, padding, xl_brin_insert.
                main.Take(change, 4);
                InsertTuple(change, page, main);
                break;
            case (Insert, 0 or 1):
                InsertTuple(change, page, main);
                break;
            case (SamePageUpdate, 0):
                int offset = main.UInt16(change);
                if (!BufPage.IndexTupleOverwrite(change, page, offset, change.BlockData))
                {
                    BufPage.Fail(change, $"no room for the new tuple {offset}");
                }

                break;
            case (RevmapExtend, 0):
                BufPage.Special(change, page, SpecialSize);
                BinaryPrimitives.WriteUInt32LittleEndian(page[(BufPage.HeaderSize + 12)..], main.UInt32(change));
                BufPage.SetLower(page, BufPage.HeaderSize + MetaSize);
                break;
            case (RevmapExtend, 1):
                Init(page, RevmapType);
                break;
            case (Desummarize, 0):
                uint pagesPerRange = main.UInt32(change);
                SetRevmap(change, page, pagesPerRange, main.UInt32(change), 0xFFFFFFFF, 0);
                break;
            case (Desummarize, 1):
                main.Take(change, 8);
                BufPage.IndexTupleDeleteNoCompact(change, page, main.UInt16(change));
                break;
            default:
                BufPage.Fail(change, $"no BRIN record of this kind has a block reference {change.BlockId}");
                break;
        }

        BufPage.SetLsn(page, change.Lsn);
    }

    /// <summary><c>brin_page_init</c>.</summary>
    private static void Init(Span<byte> page, ushort type)
    {
        BufPage.Init(page, SpecialSize);
        BinaryPrimitives.WriteUInt16LittleEndian(page[(BufPage.Size - 2)..], type);
    }

    /// <summary><c>brin_metapage_init</c>.</summary>
    private static void InitMeta(in BlockChange change, Span<byte> page, uint pagesPerRange, ushort version)
    {
        Init(page, MetaType);
        Span<byte> meta = page.Slice(BufPage.HeaderSize, MetaSize);
        BinaryPrimitives.WriteUInt32LittleEndian(meta, MetaMagic);
        BinaryPrimitives.WriteUInt32LittleEndian(meta[4..], version);
        BinaryPrimitives.WriteUInt32LittleEndian(meta[8..], pagesPerRange);
        BufPage.SetLower(page, BufPage.HeaderSize + MetaSize);
    }

    /// <summary><c>xl_brin_insert</c>: heapBlk, pagesPerRange, offnum. Block 0 gets the tuple, block 1 (the revmap) points to it.</summary>
    private static void InsertTuple(in BlockChange change, Span<byte> page, RedoCursor main)
    {
        uint heapBlock = main.UInt32(change);
        uint pagesPerRange = main.UInt32(change);
        int offset = main.UInt16(change);
        if (offset == 0)
        {
            BufPage.Fail(change, "offset number 0");
        }

        if (change.BlockId == 1)
        {
            SetRevmap(change, page, pagesPerRange, heapBlock, References.Get(change, 0), offset);
            return;
        }

        if ((change.Info & InitPage) != 0)
        {
            Init(page, RegularType);
        }

        BufPage.AddItem(change, page, change.BlockData, offset, overwrite: true);
    }

    /// <summary><c>brinSetHeapBlockItemptr</c>.</summary>
    private static void SetRevmap(in BlockChange change, Span<byte> page, uint pagesPerRange, uint heapBlock, uint block, int offset)
    {
        BufPage.Special(change, page, SpecialSize);
        if (pagesPerRange == 0)
        {
            BufPage.Fail(change, "0 pages per range");
        }

        int index = (int)(heapBlock / pagesPerRange % RevmapItems);
        Span<byte> tid = page.Slice(BufPage.HeaderSize + (index * IndexTuple.TidSize), IndexTuple.TidSize);
        IndexTuple.SetBlock(tid, block);
        IndexTuple.SetPosition(tid, offset);
    }
}
