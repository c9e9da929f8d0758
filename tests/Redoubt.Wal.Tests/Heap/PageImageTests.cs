using CsCheck;
using K4os.Compression.LZ4;

namespace Redoubt.Wal.Tests.Heap;

/// <summary>Full-page images: holes and the three compressions.</summary>
public sealed class PageImageTests
{
    private static readonly PageKey Key = new(new RelFileLocator(1663, 5, 20000), Fork.Main, 3);

    [Fact]
    public void Pglz_literals_and_overlapping_matches_are_undone()
    {
        // Eight literals, then a match of length 18 + 255 at distance 3, then what is left.
        byte[] image = [0b0000_0000, 1, 2, 3, 4, 5, 6, 7, 8, 0b0000_0001, 0x0F, 3, 255, 9, 9, 9, 9, 9, 9, 9];
        byte[] expected = [1, 2, 3, 4, 5, 6, 7, 8, .. Enumerable.Range(0, 273).Select(i => (byte)(6 + (i % 3))), 9, 9, 9, 9, 9, 9, 9];
        byte[] page = Restore(image, BlockChangeFlags.Pglz, 8, (ushort)(8192 - expected.Length));
        Assert.Equal(expected[..8], page[..8]);
        Assert.Equal(expected[8..], page[^(expected.Length - 8)..]);
        Assert.Equal(-1, page.AsSpan(8, 8192 - expected.Length).IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void Images_with_holes_come_back_whole_from_every_compression() =>
        Gen.Select(Gen.Byte[0, 20].Array[8192], Gen.Int[24, 4000], Gen.Int[0, 4000]).Sample((page, holeOffset, holeLength) =>
        {
            page.AsSpan(holeOffset, holeLength).Clear();
            ushort at = holeLength == 0 ? (ushort)0 : (ushort)holeOffset;
            byte[] rest = [.. page[..at], .. page[(at + holeLength)..]];
            Assert.Equal(page, Restore(rest, BlockChangeFlags.None, at, (ushort)holeLength));
            byte[] lz4 = new byte[LZ4Codec.MaximumOutputSize(rest.Length)];
            lz4 = lz4[..LZ4Codec.Encode(rest, lz4)];
            Assert.Equal(page, Restore(lz4, BlockChangeFlags.Lz4, at, (ushort)holeLength));
            using var zstd = new ZstdSharp.Compressor();
            Assert.Equal(page, Restore(zstd.Wrap(rest).ToArray(), BlockChangeFlags.Zstd, at, (ushort)holeLength));
        });

    [Fact]
    public void Random_images_are_restored_or_refused() =>
        Gen.Select(Gen.Byte.Array[0, 300], Gen.Int[0, 3].Select(i => i == 0 ? BlockChangeFlags.None : (BlockChangeFlags)(2 << i)), Gen.UShort, Gen.UShort)
            .Sample((image, how, offset, length) =>
            {
                try
                {
                    Restore(image, how, offset, length);
                }
                catch (RedoException)
                {
                }
            });

    private static byte[] Restore(byte[] image, BlockChangeFlags how, ushort holeOffset, ushort holeLength)
    {
        byte[] page = new byte[8192];
        page.AsSpan().Fill(0xEE);
        PageRedo.RestoreImage(
            new BlockChange
            {
                Key = Key,
                Lsn = new Lsn(1),
                Rmgr = RmgrId.Xlog,
                Info = 0xB0,
                Flags = BlockChangeFlags.ApplyImage | how,
                Image = image,
                HoleOffset = holeOffset,
                HoleLength = holeLength,
            },
            page);
        return page;
    }
}
