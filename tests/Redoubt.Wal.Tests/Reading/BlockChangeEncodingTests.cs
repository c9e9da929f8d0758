using CsCheck;

namespace Redoubt.Wal.Tests.Reading;

/// <summary>Changes survive being stored, and damaged ones are refused.</summary>
public sealed class BlockChangeEncodingTests
{
    private static readonly Gen<byte[]> Bytes = Gen.OneOf(Gen.Byte.Array[0, 0], Gen.Byte.Array[0, 200], Gen.Byte.Array[0, 9000]);

    private static readonly PageKey Key = new(new RelFileLocator(1663, 5, 16384), Fork.Main, 77);

    [Fact]
    public void Decoding_gives_back_what_was_encoded() =>
        Gen.Select(Bytes, Bytes, Bytes, Bytes, Gen.Select(Gen.Byte, Gen.Byte, Gen.Byte, Gen.UInt, Gen.UShort)).Sample(
            (image, main, block, references, rest) =>
            {
                var (rmgr, info, id, xid, hole) = rest;
                byte[] encoded = Encode(image, main, block, references, rmgr, info, id, xid, hole);
                BlockChange decoded = BlockChange.Decode(Key, new Lsn(99), encoded);
                Assert.Equal(Key, decoded.Key);
                Assert.Equal(99u, decoded.Lsn.Value);
                Assert.Equal((rmgr, info, id, xid), (decoded.Rmgr, decoded.Info, decoded.BlockId, decoded.Xid));
                Assert.Equal((BlockChangeFlags)rmgr, decoded.Flags);
                Assert.Equal(image.Length == 0 ? (0, 0) : (hole, hole), (decoded.HoleOffset, decoded.HoleLength));
                Assert.Equal(image, decoded.Image.ToArray());
                Assert.Equal(main, decoded.MainData.ToArray());
                Assert.Equal(block, decoded.BlockData.ToArray());
                Assert.Equal(references, decoded.References.ToArray());
                Assert.Equal(encoded.Length, decoded.EncodedLength);
            });

    [Fact]
    public void A_change_cut_short_or_lengthened_is_refused() => Gen.Select(Bytes, Bytes, Gen.Int[0, 1000]).Sample((image, main, cut) =>
    {
        byte[] encoded = Encode(image, main, [1, 2], [], 10, 0, 0, 5, 0);
        Assert.Throws<WalFormatException>(() => BlockChange.Decode(Key, new Lsn(1), encoded.AsSpan(0, cut % encoded.Length)));
        Assert.Throws<WalFormatException>(() => BlockChange.Decode(Key, new Lsn(1), [.. encoded, 0]));
    });

    [Fact]
    public void Random_bytes_are_decoded_or_refused() => Gen.Byte.Array[0, 300].Sample(bytes =>
    {
        try
        {
            BlockChange change = BlockChange.Decode(Key, new Lsn(1), bytes);
            Assert.True(change.EncodedLength <= bytes.Length);
        }
        catch (WalFormatException)
        {
        }
    });

    private static byte[] Encode(
        byte[] image, byte[] main, byte[] block, byte[] references, byte rmgr, byte info, byte id, uint xid, ushort hole)
    {
        var change = new BlockChange
        {
            Key = Key,
            Lsn = new Lsn(99),
            Rmgr = rmgr,
            Info = info,
            BlockId = id,
            Xid = xid,
            Flags = (BlockChangeFlags)rmgr,
            Image = image,
            HoleOffset = hole,
            HoleLength = hole,
            MainData = main,
            BlockData = block,
            References = references,
        };
        byte[] encoded = new byte[change.EncodedLength];
        Assert.Equal(encoded.Length, change.Encode(encoded));
        return encoded;
    }
}
