using System.Buffers.Binary;

namespace Redoubt.Wal;

public readonly ref partial struct BlockChange
{
    // rmgr 1, info 1, flags 1, block id 1, xid 4; with an image hole offset 2 and length 2; four varint lengths with their bytes.
    private const int FixedLength = 8;

    /// <summary>Bytes of <see cref="Encode"/>: everything but key and LSN, which stores keep in their own key.</summary>
    public int EncodedLength =>
        FixedLength
        + Varint.Length((uint)Image.Length) + (Image.IsEmpty ? 0 : 4) + Image.Length
        + Varint.Length((uint)MainData.Length) + MainData.Length
        + Varint.Length((uint)BlockData.Length) + BlockData.Length
        + Varint.Length((uint)References.Length) + References.Length;

    /// <summary>Writes the change (little-endian, varints for lengths) and returns the bytes written.</summary>
    public int Encode(Span<byte> destination)
    {
        destination[0] = Rmgr;
        destination[1] = Info;
        destination[2] = (byte)Flags;
        destination[3] = BlockId;
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], Xid);
        int at = FixedLength;
        at += Varint.Write(destination[at..], (uint)Image.Length);
        if (!Image.IsEmpty)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(destination[at..], HoleOffset);
            BinaryPrimitives.WriteUInt16LittleEndian(destination[(at + 2)..], HoleLength);
            at += 4;
            Image.CopyTo(destination[at..]);
            at += Image.Length;
        }

        at += WritePart(destination[at..], MainData);
        at += WritePart(destination[at..], BlockData);
        at += WritePart(destination[at..], References);
        return at;
    }

    /// <summary>Reads what <see cref="Encode"/> wrote; the result views <paramref name="encoded"/>.</summary>
    /// <exception cref="WalFormatException">The bytes are not an encoded change.</exception>
    public static BlockChange Decode(PageKey key, Lsn lsn, ReadOnlySpan<byte> encoded)
    {
        if (encoded.Length < FixedLength)
        {
            throw Damaged(key, lsn);
        }

        int at = FixedLength;
        uint imageLength = ReadLength(key, lsn, encoded, ref at);
        ushort holeOffset = 0;
        ushort holeLength = 0;
        if (imageLength > 0)
        {
            if (encoded.Length - at < 4)
            {
                throw Damaged(key, lsn);
            }

            holeOffset = BinaryPrimitives.ReadUInt16LittleEndian(encoded[at..]);
            holeLength = BinaryPrimitives.ReadUInt16LittleEndian(encoded[(at + 2)..]);
            at += 4;
        }

        var image = Take(key, lsn, encoded, imageLength, ref at);
        var main = Take(key, lsn, encoded, ReadLength(key, lsn, encoded, ref at), ref at);
        var block = Take(key, lsn, encoded, ReadLength(key, lsn, encoded, ref at), ref at);
        var references = Take(key, lsn, encoded, ReadLength(key, lsn, encoded, ref at), ref at);
        if (at != encoded.Length)
        {
            throw Damaged(key, lsn);
        }

        return new BlockChange
        {
            Key = key,
            Lsn = lsn,
            Rmgr = encoded[0],
            Info = encoded[1],
            Flags = (BlockChangeFlags)encoded[2],
            BlockId = encoded[3],
            Xid = BinaryPrimitives.ReadUInt32LittleEndian(encoded[4..]),
            Image = image,
            HoleOffset = holeOffset,
            HoleLength = holeLength,
            MainData = main,
            BlockData = block,
            References = references,
        };
    }

    private static int WritePart(Span<byte> destination, ReadOnlySpan<byte> part)
    {
        int at = Varint.Write(destination, (uint)part.Length);
        part.CopyTo(destination[at..]);
        return at + part.Length;
    }

    private static uint ReadLength(PageKey key, Lsn lsn, ReadOnlySpan<byte> encoded, scoped ref int at)
    {
        if (!Varint.TryRead(encoded[at..], out uint value, out int used))
        {
            throw Damaged(key, lsn);
        }

        at += used;
        return value;
    }

    private static ReadOnlySpan<byte> Take(PageKey key, Lsn lsn, ReadOnlySpan<byte> encoded, uint length, scoped ref int at)
    {
        if (length > (uint)(encoded.Length - at))
        {
            throw Damaged(key, lsn);
        }

        var part = encoded.Slice(at, (int)length);
        at += (int)length;
        return part;
    }

    private static WalFormatException Damaged(PageKey key, Lsn lsn) =>
        new(lsn, $"The stored change of {key} cannot be decoded: its lengths do not fit its bytes.");
}
