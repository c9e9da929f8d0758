namespace Redoubt.Wal.Redo;

/// <summary>Shape of a visibility map (access/heap/visibilitymap.c): two bits a heap block, 4 blocks a byte, after a page header of 24 bytes.</summary>
internal static class VisibilityMap
{
    /// <summary><c>VISIBILITYMAP_ALL_VISIBLE</c>.</summary>
    public const byte AllVisible = 0x01;

    /// <summary><c>VISIBILITYMAP_ALL_FROZEN</c>.</summary>
    public const byte AllFrozen = 0x02;

    /// <summary><c>VISIBILITYMAP_VALID_BITS</c>.</summary>
    public const byte ValidBits = AllVisible | AllFrozen;

    /// <summary><c>HEAPBLOCKS_PER_PAGE</c>.</summary>
    public const uint HeapBlocksPerPage = (BufPage.Size - BufPage.HeaderSize) * 4;

    /// <summary><c>HEAPBLK_TO_MAPBLOCK</c>.</summary>
    public static uint MapBlock(uint heapBlock) => heapBlock / HeapBlocksPerPage;

    /// <summary>Offset in the page of a heap block's byte.</summary>
    public static int ByteOffset(uint heapBlock) => BufPage.HeaderSize + (int)(heapBlock % HeapBlocksPerPage / 4);

    /// <summary><c>HEAPBLK_TO_OFFSET</c>.</summary>
    public static int BitShift(uint heapBlock) => (int)(heapBlock % 4) * 2;

    /// <summary><c>visibilitymap_clear_locked</c>: true when a bit was set before.</summary>
    public static bool Clear(Span<byte> page, uint heapBlock, byte bits)
    {
        ref byte map = ref page[ByteOffset(heapBlock)];
        int mask = bits << BitShift(heapBlock);
        bool cleared = (map & mask) != 0;
        map = (byte)(map & ~mask);
        return cleared;
    }

    /// <summary><c>visibilitymap_set</c>: true when the bits were not exactly so before.</summary>
    public static bool Set(Span<byte> page, uint heapBlock, byte bits)
    {
        ref byte map = ref page[ByteOffset(heapBlock)];
        int shift = BitShift(heapBlock);
        bool changed = ((map >> shift) & ValidBits) != bits;
        if (changed)
        {
            map = (byte)(map | (bits << shift));
        }

        return changed;
    }

    /// <summary><c>visibilitymap_prepare_truncate</c>: clears the bits of heap blocks from <paramref name="heapBlocks"/> on.</summary>
    public static void Truncate(Span<byte> page, uint heapBlocks)
    {
        int offset = ByteOffset(heapBlocks);
        page[(offset + 1)..].Clear();
        page[offset] = (byte)(page[offset] & ((1 << BitShift(heapBlocks)) - 1));
    }
}
