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
