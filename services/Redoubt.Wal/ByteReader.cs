using System.Buffers.Binary;

namespace Redoubt.Wal;

/// <summary>Reads the little-endian fields of a record's data one after the other and never past the end.</summary>
/// <param name="lsn">Start of the record, for messages.</param>
/// <param name="bytes">What to read.</param>
internal ref struct ByteReader(Lsn lsn, ReadOnlySpan<byte> bytes)
{
    private readonly Lsn _lsn = lsn;
    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>What has not been read yet.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    public byte Byte() => Take(1)[0];

    public ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

    public RelFileLocator RelFileLocator() => new(UInt32(), UInt32(), UInt32());

    /// <summary>A count of following items of a known size: refuses one that the bytes cannot hold.</summary>
    public int Count(int itemSize)
    {
        int count = Int32();
        if (count < 0 || (long)count * itemSize > _rest.Length)
        {
            throw new WalFormatException(_lsn, $"The record's data ends before its {count} items of {itemSize} bytes.");
        }

        return count;
    }

    public ReadOnlySpan<byte> Take(int count)
    {
        if (count < 0 || count > _rest.Length)
        {
            throw new WalFormatException(_lsn, $"The record's data is too short: {count} bytes wanted, {_rest.Length} left.");
        }

        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
