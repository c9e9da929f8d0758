namespace Redoubt.Verify.Masks;

/// <summary>The masks of the index access methods: <c>btree_mask</c>, <c>hash_mask</c>, <c>gin_mask</c>, <c>gist_mask</c>,
/// <c>spg_mask</c>, <c>brin_mask</c> (access/nbtree/nbtxlog.c and its like).</summary>
internal static class IndexMasks
{
    public static void Btree(Span<byte> page)
    {
        const int leaf = 0x01, splitEnd = 0x20, hasGarbage = 0x40;
        BufferMask.LsnAndChecksum(page);
        BufferMask.HintBits(page);
        BufferMask.UnusedSpace(page);
        int opaque = Opaque(page, 16);
        int flags = BufferMask.U16(page, opaque + 12);
        if ((flags & leaf) != 0)
        {
            BufferMask.LinePointerFlags(page);
        }

        BufferMask.PutU16(page, opaque + 12, flags & ~(hasGarbage | splitEnd));
        BufferMask.PutU16(page, opaque + 14, 0);
    }

    public static void Hash(Span<byte> page)
    {
        const int pageType = 0x0F, overflow = 1, bucket = 2, hasDeadTuples = 0x80;
        BufferMask.LsnAndChecksum(page);
        BufferMask.HintBits(page);
        BufferMask.UnusedSpace(page);
        int opaque = Opaque(page, 16);
        switch (BufferMask.U16(page, opaque + 12) & pageType)
        {
            case 0:
                BufferMask.Content(page);
                break;
            case bucket or overflow:
                BufferMask.LinePointerFlags(page);
                break;
        }

        BufferMask.PutU16(page, opaque + 12, BufferMask.U16(page, opaque + 12) & ~hasDeadTuples);
    }

    public static void Gin(Span<byte> page)
    {
        const int deleted = 4;
        BufferMask.LsnAndChecksum(page);
        int opaque = Opaque(page, 8);
        BufferMask.HintBits(page);
        if ((BufferMask.U16(page, opaque + 6) & deleted) != 0)
        {
            BufferMask.Content(page);
        }
        else if (BufferMask.Lower(page) > BufferMask.HeaderSize)
        {
            BufferMask.UnusedSpace(page);
        }
    }

    public static void Gist(Span<byte> page)
    {
        // F_TUPLES_DELETED is no part of gist_mask: releases up to 17.11 and 18.6 set it, 17.12 no longer does, and the log does not tell
        // which of them wrote it. No code of PostgreSQL's reads it.
        const int leaf = 0x01, tuplesDeleted = 0x04, followRight = 0x08, hasGarbage = 0x10;
        BufferMask.LsnAndChecksum(page);
        BufferMask.HintBits(page);
        BufferMask.UnusedSpace(page);
        int opaque = Opaque(page, 16);
        page.Slice(opaque, 8).Clear();
        int flags = BufferMask.U16(page, opaque + 12) | followRight;
        if ((flags & leaf) != 0)
        {
            BufferMask.LinePointerFlags(page);
        }

        BufferMask.PutU16(page, opaque + 12, flags & ~(hasGarbage | tuplesDeleted));
    }

    public static void SpGist(Span<byte> page)
    {
        BufferMask.LsnAndChecksum(page);
        BufferMask.HintBits(page);
        if (BufferMask.Lower(page) >= BufferMask.HeaderSize)
        {
            BufferMask.UnusedSpace(page);
        }
    }

    public static void Brin(Span<byte> page)
    {
        const int meta = 0xF091, regular = 0xF093, evacuate = 1;
        BufferMask.LsnAndChecksum(page);
        BufferMask.HintBits(page);
        int opaque = Opaque(page, 8);
        int type = BufferMask.U16(page, opaque + 6);
        if (type == regular || (type == meta && BufferMask.Lower(page) > BufferMask.HeaderSize))
        {
            BufferMask.UnusedSpace(page);
        }

        BufferMask.PutU16(page, opaque + 4, BufferMask.U16(page, opaque + 4) & ~evacuate);
    }

    private static int Opaque(ReadOnlySpan<byte> page, int size)
    {
        int at = BufferMask.Special(page, size);
        return at >= 0 ? at : throw new InvalidPageException("The page has no special space of its access method.");
    }
}
