using System.Buffers.Binary;

namespace Redoubt.Wal;

/// <summary>Checks of a record's fixed header (<c>ValidXLogRecordHeader</c>, <c>ValidXLogRecord</c> in access/transam/xlogreader.c).</summary>
internal static class RecordHeader
{
    /// <summary><c>XLogRecordMaxSize</c>, bytes.</summary>
    public const uint MaxLength = 1020 * 1024 * 1024;

    /// <summary>Offset of <c>xl_crc</c>, which covers everything but itself.</summary>
    public const int CrcOffset = 20;

    private const byte Switch = 0x40;

    /// <summary>What is wrong with <c>xl_tot_len</c>; null when nothing is.</summary>
    public static string? LengthError(uint length) => length is < WalRecord.HeaderLength or > MaxLength ? $"Record length {length} is impossible." : null;

    /// <summary>What is wrong with a header; null when nothing is.</summary>
    public static string? Error(Lsn start, ReadOnlySpan<byte> header, Lsn lastStart, bool knowsPrev)
    {
        byte rmgr = header[17];
        if (!RmgrId.IsValid(rmgr))
        {
            return $"Resource manager id {rmgr} does not exist.";
        }

        var prev = new Lsn(BinaryPrimitives.ReadUInt64LittleEndian(header[8..]));
        if (knowsPrev ? prev == lastStart : prev < start)
        {
            return null;
        }

        return knowsPrev ? $"xl_prev is {prev}, but the record before starts at {lastStart}." : $"xl_prev {prev} is not before the record.";
    }

    /// <summary>What is wrong when a record's CRC-32C is <paramref name="actual"/>; null when nothing is.</summary>
    public static string? CrcError(ReadOnlySpan<byte> header, uint actual)
    {
        uint stored = BinaryPrimitives.ReadUInt32LittleEndian(header[CrcOffset..]);
        return actual != stored ? $"The record's CRC is {actual:X8}, not {stored:X8} as it says: its bytes are damaged." : null;
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
