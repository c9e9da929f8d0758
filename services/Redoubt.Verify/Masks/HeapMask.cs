using System.Buffers.Binary;

namespace Redoubt.Verify.Masks;

/// <summary><c>heap_mask</c> (access/heap/heapam.c, heapam_xlog.c in 18), for records of Heap and Heap2.</summary>
internal static class HeapMask
{
    private const int InfomaskAt = 20;
    private const int CommandIdAt = 8;
    private const int CtidAt = 12;

    private const int XactMask = 0xFFF0;
    private const int XminFrozen = 0x0300;
    private const int XmaxCommitted = 0x0400;
    private const int XmaxInvalid = 0x0800;
    private const int SpeculativeToken = 0xFFFE;

    public static void Apply(Span<byte> page, uint block)
    {
        BufferMask.LsnAndChecksum(page);
        BufferMask.HintBits(page);
        BufferMask.UnusedSpace(page);

        for (int offset = 1, max = BufferMask.MaxOffset(page); offset <= max; offset++)
        {
            uint pointer = BufferMask.LinePointer(page, offset);
            int at = (int)(pointer & 0x7FFF);
            int length = (int)(pointer >> 17);
            bool normal = ((pointer >> 15) & 3) == 1;
            if (at + length > page.Length || (normal && length < 23))
            {
                throw new InvalidPageException($"Item {offset} at {at} of {length} bytes is not inside the page.");
            }

            if (normal)
            {
                MaskTuple(page.Slice(at, length), block, offset);
            }

            if (length != 0)
            {
                int padded = Math.Min((length + 7) & ~7, page.Length - at);
                page[(at + length)..(at + padded)].Clear();
            }
        }
    }

    private static void MaskTuple(Span<byte> tuple, uint block, int offset)
    {
        int infomask = BufferMask.U16(tuple, InfomaskAt);
        infomask &= (infomask & XminFrozen) != XminFrozen ? ~XactMask : ~(XmaxInvalid | XmaxCommitted);
        BufferMask.PutU16(tuple, InfomaskAt, infomask);
        tuple.Slice(CommandIdAt, 4).Clear();
        if (BufferMask.U16(tuple, CtidAt + 4) == SpeculativeToken)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(tuple[CtidAt..], (ushort)(block >> 16));
            BinaryPrimitives.WriteUInt16LittleEndian(tuple[(CtidAt + 2)..], (ushort)block);
            BufferMask.PutU16(tuple, CtidAt + 4, offset);
        }
    }
}
