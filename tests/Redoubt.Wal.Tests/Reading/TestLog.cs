using System.Buffers.Binary;

namespace Redoubt.Wal.Tests.Reading;

/// <summary>Writes log pages as PostgreSQL would, from a place of choice.</summary>
internal sealed class TestLog
{
    private readonly PgVersion _version;
    private readonly MemoryStream _bytes = new();
    private Lsn _prev;
    private Lsn _next;

    public TestLog(PgVersion version, Lsn start, Lsn prev, ushort firstPageFlags = 0)
    {
        _version = version;
        _prev = prev;
        At = WalAddress.PageStart(start);
        Header(At, firstPageFlags, 0);
        _next = WalAddress.NextRecordStart(start);
        _bytes.Write(new byte[(int)(_next - At) - (int)_bytes.Length]);
        End = _next;
    }

    /// <summary>Position of the first byte of <see cref="Bytes"/>: a page.</summary>
    public Lsn At { get; }

    public Lsn End { get; private set; }

    public byte[] Bytes => _bytes.ToArray();

    public void AddRecord(byte rmgr, byte info, byte[] mainData)
    {
        byte[] record = Record(rmgr, info, _prev, mainData);
        _next = WalAddress.NextRecordStart(End);
        if (_next != End)
        {
            Header(End, 0, 0);
        }

        _prev = _next;
        ReadOnlySpan<byte> left = record;
        while (true)
        {
            int part = Math.Min(left.Length, 8192 - WalAddress.PageOffset(_next));
            _bytes.Write(left[..part]);
            _next += (ulong)part;
            left = left[part..];
            if (left.IsEmpty)
            {
                break;
            }

            Header(_next, 1, (uint)left.Length);
            _next += (ulong)WalAddress.PageHeaderLength(_next);
        }

        End = new Lsn(WalAddress.Align8(_next.Value));
        _bytes.Write(new byte[(int)(End - _next)]);
    }

    public static byte[] Record(byte rmgr, byte info, Lsn prev, byte[] mainData)
    {
        byte[] record = new byte[24 + 5 + mainData.Length];
        BinaryPrimitives.WriteInt32LittleEndian(record, record.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(record.AsSpan(8), prev.Value);
        record[16] = info;
        record[17] = rmgr;
        record[24] = 254;
        BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(25), mainData.Length);
        mainData.CopyTo(record, 29);
        uint crc = Crc32C.Append(Crc32C.Initial, record.AsSpan(24));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(20), Crc32C.Finish(Crc32C.Append(crc, record.AsSpan(0, 20))));
        return record;
    }

    private void Header(Lsn page, ushort flags, uint remaining)
    {
        Span<byte> header = stackalloc byte[40];
        header.Clear();
        int length = WalAddress.PageHeaderLength(page);
        BinaryPrimitives.WriteUInt16LittleEndian(header, (ushort)(_version == PgVersion.Pg17 ? 0xD116 : 0xD118));
        BinaryPrimitives.WriteUInt16LittleEndian(header[2..], (ushort)(flags | (length == 40 ? 2 : 0)));
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(header[8..], page.Value);
        BinaryPrimitives.WriteUInt32LittleEndian(header[16..], remaining);
        if (length == 40)
        {
            BinaryPrimitives.WriteInt32LittleEndian(header[32..], 16 * 1024 * 1024);
            BinaryPrimitives.WriteInt32LittleEndian(header[36..], 8192);
        }

        _bytes.Write(header[..length]);
    }
}
