using System.Buffers.Binary;

namespace Redoubt.Wal.Tests.Splitting;

/// <summary>Puts records together as <c>XLogRecordAssemble</c> does, without images.</summary>
internal sealed class RecordBuilder(byte rmgr, byte info)
{
    private readonly List<byte> _headers = [];
    private readonly List<byte> _data = [];
    private byte[] _main = [];

    public uint Xid { get; init; }

    public Lsn End { get; init; } = new(0x2000100);

    public RecordBuilder Block(byte id, RelFileLocator rel, Fork fork, uint block, byte[]? data = null, byte[]? image = null)
    {
        _headers.Add(id);
        _headers.Add((byte)((byte)fork | (data is null ? 0 : 0x20) | (image is null ? 0 : 0x10)));
        UInt16((ushort)(data?.Length ?? 0));
        if (image is not null)
        {
            UInt16((ushort)image.Length);
            UInt16(0);
            _headers.Add(2);
            _data.AddRange(image);
        }

        UInt32(rel.SpcOid);
        UInt32(rel.DbOid);
        UInt32(rel.RelNumber);
        UInt32(block);
        _data.AddRange(data ?? []);
        return this;
    }

    public RecordBuilder Origin(ushort origin)
    {
        _headers.Add(253);
        UInt16(origin);
        return this;
    }

    public RecordBuilder Main(params byte[][] parts)
    {
        _main = parts.SelectMany(part => part).ToArray();
        return this;
    }

    public byte[] Bytes()
    {
        byte[] main = _main.Length == 0 ? [] : [254, .. BitConverter.GetBytes(_main.Length)];
        byte[] record = [.. new byte[24], .. _headers, .. main, .. _data, .. _main];
        BinaryPrimitives.WriteInt32LittleEndian(record, record.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(4), Xid);
        record[16] = info;
        record[17] = rmgr;
        return record;
    }

    public WalRecord Record() => new(End + 0UL, End, Bytes());

    public static byte[] U32(params uint[] values) => values.SelectMany(BitConverter.GetBytes).ToArray();

    public static byte[] U16(params ushort[] values) => values.SelectMany(BitConverter.GetBytes).ToArray();

    private void UInt16(ushort value) => _headers.AddRange(BitConverter.GetBytes(value));

    private void UInt32(uint value) => _headers.AddRange(BitConverter.GetBytes(value));
}
