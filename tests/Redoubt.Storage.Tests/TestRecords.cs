using System.Buffers.Binary;
using Redoubt.Wal;

namespace Redoubt.Storage.Tests;

/// <summary>Records as PostgreSQL would write them, by hand (access/xlogrecord.h).</summary>
internal static class TestRecords
{
    /// <summary><c>XLOG_FPI</c>: the page is exactly this image.</summary>
    public static byte[] FullPage(in PageKey key, ReadOnlySpan<byte> page)
    {
        var record = new byte[WalRecord.HeaderLength + 1 + 1 + 2 + 2 + 2 + 1 + 12 + 4 + PageRedo.PageSize];
        int at = WalRecord.HeaderLength;
        record[at] = 0; // block id
        record[at + 1] = (byte)((byte)key.Fork | 0x10 /* BKPBLOCK_HAS_IMAGE */);
        BinaryPrimitives.WriteUInt16LittleEndian(record.AsSpan(at + 4), PageRedo.PageSize);
        record[at + 8] = 0x02; // BKPIMAGE_APPLY
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(at + 9), key.Rel.SpcOid);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(at + 13), key.Rel.DbOid);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(at + 17), key.Rel.RelNumber);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(at + 21), key.Block);
        page.CopyTo(record.AsSpan(at + 25));
        return Seal(record, xid: 0, rmgr: 0, info: 0xB0);
    }

    /// <summary><c>XLOG_XACT_COMMIT</c> of a transaction without anything else: sets two bits of the commit log.</summary>
    public static byte[] Commit(uint xid)
    {
        var record = new byte[WalRecord.HeaderLength + 2 + 8];
        record[WalRecord.HeaderLength] = 0xFF; // XLR_BLOCK_ID_DATA_SHORT
        record[WalRecord.HeaderLength + 1] = 8;
        return Seal(record, xid, rmgr: 1, info: 0x00);
    }

    /// <summary><c>CLOG_ZEROPAGE</c>: the commit log gets a page.</summary>
    public static byte[] ZeroCommitLog(long page) =>
        Seal([.. new byte[WalRecord.HeaderLength], 0xFF, 8, .. BitConverter.GetBytes(page)], xid: 0, rmgr: 3, info: 0x00);

    /// <summary><c>CLOG_TRUNCATE</c> to a page.</summary>
    public static byte[] TruncateCommitLog(long page) =>
        Seal([.. new byte[WalRecord.HeaderLength], 0xFF, 16, .. BitConverter.GetBytes(page), .. new byte[8]], xid: 0, rmgr: 3, info: 0x10);

    /// <summary><c>XLOG_MULTIXACT_ZERO_MEM_PAGE</c>.</summary>
    public static byte[] ZeroMembers(long page) =>
        Seal([.. new byte[WalRecord.HeaderLength], 0xFF, 8, .. BitConverter.GetBytes(page)], xid: 0, rmgr: 6, info: 0x10);

    /// <summary><c>XLOG_MULTIXACT_TRUNCATE_ID</c> of members between two pages; offsets stay.</summary>
    public static byte[] TruncateMembers(uint from, uint to)
    {
        const uint MembersPerPage = 1636;
        uint[] main = [5, 1, 1, from * MembersPerPage, to * MembersPerPage];
        return Seal([.. new byte[WalRecord.HeaderLength], 0xFF, 20, .. main.SelectMany(BitConverter.GetBytes)], xid: 0, rmgr: 6, info: 0x30);
    }

    /// <summary><c>XLOG_SMGR_TRUNCATE</c> of all forks.</summary>
    public static byte[] Truncate(in RelFileLocator rel, uint blocks)
    {
        var record = new byte[WalRecord.HeaderLength + 2 + 20];
        int at = WalRecord.HeaderLength;
        record[at] = 0xFF;
        record[at + 1] = 20;
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(at + 2), blocks);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(at + 6), rel.SpcOid);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(at + 10), rel.DbOid);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(at + 14), rel.RelNumber);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(at + 18), 7);
        return Seal(record, xid: 0, rmgr: 2, info: 0x20);
    }

    /// <summary><c>XLOG_HEAP_INSERT</c> of a tuple of so many bytes (at least 24) as an item of a heap page; item 1 begins the page.</summary>
    public static byte[] HeapInsert(in PageKey key, ushort item, int length)
    {
        // xl_heap_header (t_hoff 24), then what follows the tuple's fixed header.
        var data = new byte[5 + length - 23];
        data[4] = 24;
        byte[] main = [(byte)item, (byte)(item >> 8), 0];
        return OfBlock(key, data, main, rmgr: 10, info: (byte)(item == 1 ? 0x80 : 0x00), flags: (byte)(item == 1 ? 0x60 : 0x20));
    }

    /// <summary><c>XLOG_HEAP2_PRUNE_VACUUM_SCAN</c> that leaves items unused.</summary>
    public static byte[] HeapPrune(in PageKey key, params ushort[] unused)
    {
        byte[] data = [.. new[] { (ushort)unused.Length }.Concat(unused).SelectMany(BitConverter.GetBytes)];
        return OfBlock(key, data, main: [1, 0x84], rmgr: 9, info: 0x20, flags: 0x20);
    }

    /// <summary><c>XLOG_LOGICAL_MESSAGE</c> of so many bytes.</summary>
    public static byte[] LogicalMessage(int length)
    {
        var main = new byte[length - WalRecord.HeaderLength - 5];
        new Random(length).NextBytes(main);
        return OfMain(main, xid: 1001, rmgr: 21, info: 0x00);
    }

    /// <summary><c>XLOG_XACT_COMMIT</c> with subtransactions.</summary>
    public static byte[] CommitTree(uint xid, uint firstSubxid, int subxids)
    {
        var main = new byte[8 + 4 + 4 + (4 * subxids)];
        BinaryPrimitives.WriteUInt32LittleEndian(main.AsSpan(8), 2); // XACT_XINFO_HAS_SUBXACTS
        BinaryPrimitives.WriteInt32LittleEndian(main.AsSpan(12), subxids);
        for (int i = 0; i < subxids; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(main.AsSpan(16 + (4 * i)), firstSubxid + (uint)i);
        }

        return OfMain(main, xid, rmgr: 1, info: 0x80);
    }

    /// <summary><c>XLOG_HEAP_DELETE</c> of an item, with the old tuple of so many bytes for logical decoding.</summary>
    public static byte[] HeapDelete(in PageKey key, ushort item, int oldTuple)
    {
        var main = new byte[8 + oldTuple];
        BinaryPrimitives.WriteUInt32LittleEndian(main, 1000); // xmax
        BinaryPrimitives.WriteUInt16LittleEndian(main.AsSpan(4), item);
        main[7] = 1 << 1; // XLH_DELETE_CONTAINS_OLD_TUPLE
        uint[] name = [key.Rel.SpcOid, key.Rel.DbOid, key.Rel.RelNumber, key.Block];
        byte[] record =
        [
            .. new byte[WalRecord.HeaderLength], 0, (byte)key.Fork, 0, 0, .. name.SelectMany(BitConverter.GetBytes),
            0xFE, .. BitConverter.GetBytes(main.Length), .. main,
        ];
        return Seal(record, xid: 1000, rmgr: 10, info: 0x10);
    }

    /// <summary><c>XLOG_DBASE_CREATE_FILE_COPY</c> inside the default tablespace.</summary>
    public static byte[] CopyDatabase(uint database, uint source)
    {
        byte[] record = [.. new byte[WalRecord.HeaderLength], 0xFF, 16, .. new uint[] { database, 1663, source, 1663 }.SelectMany(BitConverter.GetBytes)];
        return Seal(record, xid: 0, rmgr: 4, info: 0x00);
    }

    /// <summary><c>XLOG_DBASE_CREATE_WAL_LOG</c> in the default tablespace.</summary>
    public static byte[] CreateDatabase(uint database)
    {
        byte[] record = [.. new byte[WalRecord.HeaderLength], 0xFF, 8, .. BitConverter.GetBytes(database), .. BitConverter.GetBytes(1663)];
        return Seal(record, xid: 0, rmgr: 4, info: 0x10);
    }

    /// <summary>A page of one byte value, with a page header that redo accepts.</summary>
    public static byte[] Page(byte fill)
    {
        var page = new byte[PageRedo.PageSize];
        page.AsSpan().Fill(fill);
        page.AsSpan(0, 24).Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(page.AsSpan(12), 24); // pd_lower
        BinaryPrimitives.WriteUInt16LittleEndian(page.AsSpan(14), PageRedo.PageSize); // pd_upper
        BinaryPrimitives.WriteUInt16LittleEndian(page.AsSpan(16), PageRedo.PageSize); // pd_special
        BinaryPrimitives.WriteUInt16LittleEndian(page.AsSpan(18), PageRedo.PageSize | 4); // pd_pagesize_version
        return page;
    }

    private static byte[] OfMain(byte[] main, uint xid, byte rmgr, byte info)
    {
        var record = new byte[WalRecord.HeaderLength + 5 + main.Length];
        record[WalRecord.HeaderLength] = 0xFE; // XLR_BLOCK_ID_DATA_LONG
        BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(WalRecord.HeaderLength + 1), main.Length);
        main.CopyTo(record, WalRecord.HeaderLength + 5);
        return Seal(record, xid, rmgr, info);
    }

    private static byte[] OfBlock(in PageKey key, byte[] data, byte[] main, byte rmgr, byte info, byte flags)
    {
        uint[] name = [key.Rel.SpcOid, key.Rel.DbOid, key.Rel.RelNumber, key.Block];
        byte[] record =
        [
            .. new byte[WalRecord.HeaderLength], 0, (byte)((byte)key.Fork | flags), .. BitConverter.GetBytes((ushort)data.Length),
            .. name.SelectMany(BitConverter.GetBytes), 0xFF, (byte)main.Length, .. data, .. main,
        ];
        return Seal(record, xid: 1000, rmgr, info);
    }

    private static byte[] Seal(byte[] record, uint xid, byte rmgr, byte info)
    {
        BinaryPrimitives.WriteInt32LittleEndian(record, record.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(4), xid);
        record[16] = info;
        record[17] = rmgr;
        uint crc = Crc32C.Append(Crc32C.Initial, record.AsSpan(24));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(20), Crc32C.Finish(Crc32C.Append(crc, record.AsSpan(0, 20))));
        return record;
    }
}
