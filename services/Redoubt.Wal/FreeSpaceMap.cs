using System.Buffers.Binary;

namespace Redoubt.Wal;

/// <summary>
/// Shape of a free-space map (storage/freespace, fsm_internals.h): which map page holds the byte of which heap block, and how a map page is built
/// from the bytes below it. PostgreSQL hardly logs the map; whoever knows the pages' free space can build it with this.
/// </summary>
public static class FreeSpaceMap
{
    /// <summary>Levels of the tree for 8 KiB pages (<c>FSM_TREE_DEPTH</c>); level 0 holds heap blocks.</summary>
    public const int Levels = 3;

    /// <summary>Children of a map page (<c>SlotsPerFSMPage</c>).</summary>
    public const int SlotsPerPage = NodesPerPage - NonLeafNodes;

    private const int PageHeader = 24;
    private const int NodesOffset = PageHeader + 4;                // after fp_next_slot
    private const int NodesPerPage = PageRedo.PageSize - NodesOffset;
    private const int NonLeafNodes = (PageRedo.PageSize / 2) - 1;
    private const int CategoryStep = PageRedo.PageSize / 256;       // FSM_CAT_STEP
    private const int MaxRequest = PageRedo.PageSize - (24 + 4 + 4); // MaxHeapTupleSize: MAXALIGN(page header + one line pointer)

    /// <summary>The byte that stands for so many free bytes of a heap page (<c>fsm_space_avail_to_cat</c>).</summary>
    public static byte Category(int freeBytes) => freeBytes >= MaxRequest ? (byte)255 : (byte)Math.Clamp(freeBytes / CategoryStep, 0, 254);

    /// <summary>The block, in the map's fork, of page <paramref name="number"/> of a level (<c>fsm_logical_to_physical</c>).</summary>
    public static uint BlockOf(int level, uint number)
    {
        ulong leaf = number;
        for (int l = 0; l < level; l++)
        {
            leaf *= SlotsPerPage;
        }

        ulong pages = 0;
        for (int l = 0; l < Levels; l++)
        {
            pages += leaf + 1;
            leaf /= SlotsPerPage;
        }

        return checked((uint)(pages - (ulong)level - 1));
    }

    /// <summary>Level and number in its level of a block of the map's fork: the inverse of <see cref="BlockOf"/>.</summary>
    public static (int Level, uint Number) Locate(uint block)
    {
        // Blocks are laid out depth first: root, first middle page, its leaves, the next middle page, …
        if (block == 0)
        {
            return (2, 0);
        }

        uint rest = block - 1;
        uint middle = rest / (SlotsPerPage + 1);
        uint within = rest % (SlotsPerPage + 1);
        return within == 0 ? (1, middle) : (0, (middle * SlotsPerPage) + within - 1);
    }

    /// <summary>Blocks that the map's fork must have to hold the byte of heap block <paramref name="heapBlock"/>.</summary>
    public static uint BlocksFor(uint heapBlock) => BlockOf(0, heapBlock / SlotsPerPage) + 1;

    /// <summary>Heap blocks under one slot of a page of a level.</summary>
    public static ulong HeapBlocksPerSlot(int level) => level switch { 0 => 1, 1 => SlotsPerPage, _ => (ulong)SlotsPerPage * SlotsPerPage };

    /// <summary>Writes a map page whose slots are <paramref name="slots"/> (the rest 0), inner nodes included. All zero slots give a zero page.</summary>
    /// <param name="slots">At most <see cref="SlotsPerPage"/> bytes.</param>
    /// <param name="page">8,192 bytes, overwritten.</param>
    public static void BuildPage(ReadOnlySpan<byte> slots, Span<byte> page)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(slots.Length, SlotsPerPage);
        ArgumentOutOfRangeException.ThrowIfNotEqual(page.Length, PageRedo.PageSize);
        page.Clear();
        if (slots.IndexOfAnyExcept((byte)0) < 0)
        {
            return;
        }

        // PageInit: no line pointers, no special space, layout version 4.
        BinaryPrimitives.WriteUInt16LittleEndian(page[12..], PageHeader);
        BinaryPrimitives.WriteUInt16LittleEndian(page[14..], PageRedo.PageSize);
        BinaryPrimitives.WriteUInt16LittleEndian(page[16..], PageRedo.PageSize);
        BinaryPrimitives.WriteUInt16LittleEndian(page[18..], PageRedo.PageSize | 4);
        Span<byte> nodes = page[NodesOffset..];
        slots.CopyTo(nodes[NonLeafNodes..]);
        for (int i = NonLeafNodes - 1; i >= 0; i--)
        {
            int left = (2 * i) + 1;
            byte max = left < NodesPerPage ? nodes[left] : (byte)0;
            if (left + 1 < NodesPerPage && nodes[left + 1] > max)
            {
                max = nodes[left + 1];
            }

            nodes[i] = max;
        }
    }

    /// <summary>The slots of a map page; empty for a page that is not initialised.</summary>
    public static ReadOnlySpan<byte> Slots(ReadOnlySpan<byte> page) =>
        BinaryPrimitives.ReadUInt16LittleEndian(page[14..]) == 0 ? [] : page.Slice(NodesOffset + NonLeafNodes, SlotsPerPage);
}
