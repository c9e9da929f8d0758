using System.Runtime.CompilerServices;
using K4os.Compression.LZ4;
using ZstdSharp;

namespace Redoubt.Wal.Redo;

/// <summary>Full-page images (<c>RestoreBlockImage</c>, access/transam/xlogreader.c).</summary>
internal static class PageImage
{
    [ThreadStatic]
    private static Decompressor? zstd;

    /// <summary>Writes the page that the change's image is of.</summary>
    [SkipLocalsInit]
    public static void Restore(in BlockChange change, Span<byte> page)
    {
        int length = PageRedo.PageSize - change.HoleLength;
        if (change.HoleOffset + change.HoleLength > PageRedo.PageSize)
        {
            BufPage.Fail(change, $"the image's hole of {change.HoleLength} bytes at {change.HoleOffset} leaves the page");
        }

        const BlockChangeFlags compressed = BlockChangeFlags.Pglz | BlockChangeFlags.Lz4 | BlockChangeFlags.Zstd;
        if ((change.Flags & compressed) == 0)
        {
            if (change.Image.Length != length)
            {
                BufPage.Fail(change, $"the image has {change.Image.Length} bytes, not {length}");
            }

            Fill(change, change.Image, page);
            return;
        }

        Span<byte> scratch = stackalloc byte[PageRedo.PageSize];
        Span<byte> whole = scratch[..length];
        if (!Decompress(change, whole))
        {
            BufPage.Fail(change, $"the image of {change.Image.Length} bytes does not decompress to {length}");
        }

        Fill(change, whole, page);
    }

    private static bool Decompress(in BlockChange change, Span<byte> whole)
    {
        if ((change.Flags & BlockChangeFlags.Pglz) != 0)
        {
            return Pglz.TryDecompress(change.Image, whole);
        }

        if ((change.Flags & BlockChangeFlags.Lz4) != 0)
        {
            return LZ4Codec.Decode(change.Image, whole) == whole.Length;
        }

        try
        {
            zstd ??= new Decompressor();
            return zstd.Unwrap(change.Image, whole) == whole.Length;
        }
        catch (ZstdException)
        {
            return false;
        }
    }

    private static void Fill(in BlockChange change, scoped ReadOnlySpan<byte> image, Span<byte> page)
    {
        image[..change.HoleOffset].CopyTo(page);
        page.Slice(change.HoleOffset, change.HoleLength).Clear();
        image[change.HoleOffset..].CopyTo(page[(change.HoleOffset + change.HoleLength)..]);
    }
}
