using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>
/// Tuples of SP-GiST pages (access/spgist_private.h). All begin with 2 bits of state. Leaf and dead tuples go on with 30 bits of size,
/// then t_info (14 bits next offset) and a TID; dead ones also with an xid. Inner tuples have 1 bit allTheSame, 13 bits node count,
/// 16 bits prefix size, then 16 bits size, and node tuples behind the prefix.
/// </summary>
internal static class SpGistTuple
{
    public const int Redirect = 1;
    public const int Dead = 2;
    public const int Placeholder = 3;

    /// <summary><c>sizeof(SpGistLeafTupleData)</c>.</summary>
    public const int LeafHeaderSize = 12;

    /// <summary><c>SGDTSIZE</c>.</summary>
    public const int DeadSize = 16;

    /// <summary><c>SGITHDRSZ</c>.</summary>
    public const int InnerHeaderSize = 8;

    /// <summary>The tuple's state: live, redirect, dead or placeholder.</summary>
    public static int State(ReadOnlySpan<byte> tuple) => tuple[0] & 3;

    /// <summary>The next leaf tuple of the record's data, by its own size.</summary>
    public static ReadOnlySpan<byte> TakeLeaf(in BlockChange change, ref RedoCursor data)
    {
        if (data.Rest.Length < LeafHeaderSize)
        {
            BufPage.Fail(change, $"record data ends early: a leaf tuple wanted, {data.Rest.Length} bytes left");
        }

        uint size = BinaryPrimitives.ReadUInt32LittleEndian(data.Rest) >> 2;
        if (size < LeafHeaderSize)
        {
            BufPage.Fail(change, $"leaf tuple of {size} bytes");
        }

        return data.Take(change, (int)size);
    }

    /// <summary>The next inner tuple of the record's data, by its own size.</summary>
    public static ReadOnlySpan<byte> TakeInner(in BlockChange change, ref RedoCursor data)
    {
        if (data.Rest.Length < InnerHeaderSize)
        {
            BufPage.Fail(change, $"record data ends early: an inner tuple wanted, {data.Rest.Length} bytes left");
        }

        int size = BinaryPrimitives.ReadUInt16LittleEndian(data.Rest[4..]);
        if (size < InnerHeaderSize)
        {
            BufPage.Fail(change, $"inner tuple of {size} bytes");
        }

        return data.Take(change, size);
    }

    /// <summary><c>SGLT_SET_NEXTOFFSET</c>.</summary>
    public static void SetNextOffset(Span<byte> leaf, int offset)
    {
        int info = BinaryPrimitives.ReadUInt16LittleEndian(leaf[4..]);
        BinaryPrimitives.WriteUInt16LittleEndian(leaf[4..], (ushort)((info & 0xC000) | (offset & 0x3FFF)));
    }

    /// <summary><c>spgFormDeadTuple</c>. Only a redirect has a target and an xid.</summary>
    public static void FormDead(Span<byte> tuple, int state, uint block, int offset, uint xid)
    {
        tuple.Clear();
        bool redirect = state == Redirect;
        BinaryPrimitives.WriteUInt32LittleEndian(tuple, (uint)state | (DeadSize << 2));
        SetPointer(tuple, redirect ? block : 0xFFFFFFFF, redirect ? offset : 0);
        BinaryPrimitives.WriteUInt32LittleEndian(tuple[12..], redirect ? xid : 0);
    }

    /// <summary>Makes a redirect a placeholder; its xid stays.</summary>
    public static void MakePlaceholder(Span<byte> dead)
    {
        dead[0] |= Placeholder;
        SetPointer(dead, 0xFFFFFFFF, 0);
    }

    /// <summary><c>spgUpdateNodeLink</c>: lets node <paramref name="node"/> of an inner tuple lead to another tuple.</summary>
    public static void UpdateNodeLink(in BlockChange change, Span<byte> inner, int node, uint block, int offset)
    {
        if (inner.Length < InnerHeaderSize)
        {
            BufPage.Fail(change, $"inner tuple of {inner.Length} bytes");
        }

        uint bits = BinaryPrimitives.ReadUInt32LittleEndian(inner);
        int nodes = (int)(bits >> 3) & 0x1FFF;
        int at = InnerHeaderSize + (int)(bits >> 16);
        for (int i = 0; i < nodes; i++)
        {
            if (at + IndexTuple.HeaderSize > inner.Length)
            {
                break;
            }

            Span<byte> link = inner[at..];
            if (i == node)
            {
                IndexTuple.SetBlock(link, block);
                IndexTuple.SetPosition(link, offset);
                return;
            }

            at += IndexTuple.Size(link);
        }

        BufPage.Fail(change, $"no node {node} in an inner tuple of {nodes}");
    }

    private static void SetPointer(Span<byte> dead, uint block, int offset)
    {
        IndexTuple.SetBlock(dead[6..], block);
        IndexTuple.SetPosition(dead[6..], offset);
    }
}
