using System.Buffers.Binary;

namespace Redoubt.Wal;

/// <summary>Checks of a record's fixed header (<c>ValidXLogRecordHeader</c>, <c>ValidXLogRecord</c> in access/transam/xlogreader.c).</summary>
internal static class RecordHeader
{
    /// <summary><c>XLogRecordMaxSize</c>, bytes.</summary>
    public const uint MaxLength = 1020 * 1024 * 1024;

    private const int CrcOffset = 20;
    private const byte Switch = 0x40;

    public static void CheckLength(Lsn start, uint length)
    {
        if (length is < WalRecord.HeaderLength or > MaxLength)
        {
            throw new WalFormatException(start, $"Record length {length} is impossible.");
        }
    }

    public static void Check(Lsn start, ReadOnlySpan<byte> header, Lsn lastStart, bool knowsPrev)
    {
        byte rmgr = header[17];
        if (!RmgrId.IsValid(rmgr))
        {
            throw new WalFormatException(start, $"Resource manager id {rmgr} does not exist.");
        }

        var prev = new Lsn(BinaryPrimitives.ReadUInt64LittleEndian(header[8..]));
        if (knowsPrev ? prev != lastStart : prev >= start)
        {
            throw new WalFormatException(
                start, knowsPrev ? $"xl_prev is {prev}, but the record before starts at {lastStart}." : $"xl_prev {prev} is not before the record.");
        }
    }

    public static void CheckCrc(Lsn start, ReadOnlySpan<byte> record)
    {
        uint stored = BinaryPrimitives.ReadUInt32LittleEndian(record[CrcOffset..]);
        uint actual = Crc(record);
        if (actual != stored)
        {
            throw new WalFormatException(start, $"The record's CRC is {actual:X8}, not {stored:X8} as it says: its bytes are damaged.");
        }
    }

    /// <summary>CRC-32C over the data, then over the header up to the CRC itself.</summary>
    public static uint Crc(ReadOnlySpan<byte> record)
    {
        uint state = Crc32C.Append(Crc32C.Initial, record[WalRecord.HeaderLength..]);
        return Crc32C.Finish(Crc32C.Append(state, record[..CrcOffset]));
    }

    public static bool IsSwitch(ReadOnlySpan<byte> record) =>
        record[17] == RmgrId.Xlog && (record[16] & 0xF0) == Switch;
}
