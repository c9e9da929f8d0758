using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Redoubt.Wal.Redo;

/// <summary>Operations on SP-GiST pages. The special space (<c>SpGistPageOpaqueData</c>) is flags, nRedirection, nPlaceholder, page id.</summary>
internal static class SpGistPage
{
    public const int Leaf = 1 << 2;
    public const int Nulls = 1 << 3;

    private const int OpaqueSize = 8;
    private const ushort PageId = 0xFF82;
    private const int RedirectionsAt = 2;
    private const int PlaceholdersAt = 4;

    /// <summary><c>SpGistInitPage</c>.</summary>
    public static void Init(Span<byte> page, int flags)
    {
        BufPage.Init(page, OpaqueSize);
        Span<byte> opaque = page[^OpaqueSize..];
        BinaryPrimitives.WriteUInt16LittleEndian(opaque, (ushort)flags);
        BinaryPrimitives.WriteUInt16LittleEndian(opaque[6..], PageId);
    }

    /// <summary>Changes nRedirection and nPlaceholder.</summary>
    public static void Count(in BlockChange change, Span<byte> page, int redirections, int placeholders)
    {
        Span<byte> opaque = BufPage.Special(change, page, OpaqueSize);
        Add(opaque[RedirectionsAt..], redirections);
        Add(opaque[PlaceholdersAt..], placeholders);

        static void Add(Span<byte> at, int n) =>
            BinaryPrimitives.WriteUInt16LittleEndian(at, (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(at) + n));
    }

    /// <summary><c>addOrReplaceTuple</c>: puts a tuple at the end, or over a placeholder.</summary>
    public static void AddOrReplace(in BlockChange change, Span<byte> page, ReadOnlySpan<byte> tuple, int offset)
    {
        if (offset <= BufPage.MaxOffset(change, page))
        {
            if (SpGistTuple.State(BufPage.Item(change, page, offset)) != SpGistTuple.Placeholder)
            {
                BufPage.Fail(change, $"tuple {offset} to be replaced is not a placeholder");
            }

            Count(change, page, 0, -1);
            BufPage.IndexTupleDelete(change, page, offset);
        }

        AddAt(change, page, tuple, offset);
    }

    /// <summary>Puts a tuple in place of one that was there.</summary>
    public static void Replace(in BlockChange change, Span<byte> page, ReadOnlySpan<byte> tuple, int offset)
    {
        BufPage.IndexTupleDelete(change, page, offset);
        AddAt(change, page, tuple, offset);
    }

    /// <summary><c>spgPageIndexMultiDelete</c>: dead tuples take the places of tuples (offset numbers in any order);
    /// the first named gets <paramref name="firstState"/>, the others <paramref name="restState"/>.</summary>
    [SkipLocalsInit]
    public static void MultiDelete(
        in BlockChange change, Span<byte> page, ReadOnlySpan<byte> offsets, int firstState, int restState, uint block, int offset, uint xid)
    {
        int count = offsets.Length / 2;
        if (count == 0)
        {
            return;
        }

        if (count > BufPage.MaxIndexTuples)
        {
            BufPage.Fail(change, $"{count} tuples to delete from a page");
        }

        Span<ushort> sorted = stackalloc ushort[BufPage.MaxIndexTuples];
        sorted = sorted[..count];
        for (int i = 0; i < count; i++)
        {
            sorted[i] = BinaryPrimitives.ReadUInt16LittleEndian(offsets[(i * 2)..]);
        }

        ushort first = sorted[0];
        sorted.Sort();
        BufPage.IndexMultiDelete(change, page, MemoryMarshal.AsBytes(sorted));

        Span<byte> dead = stackalloc byte[SpGistTuple.DeadSize];
        int formed = -1;
        foreach (ushort at in sorted)
        {
            int state = at == first ? firstState : restState;
            if (state != formed)
            {
                SpGistTuple.FormDead(dead, state, block, offset, xid);
                formed = state;
            }

            AddAt(change, page, dead, at);
            Count(change, page, state == SpGistTuple.Redirect ? 1 : 0, state == SpGistTuple.Placeholder ? 1 : 0);
        }
    }

    /// <summary>Lets a node of the inner tuple at <paramref name="parent"/> lead to another tuple.</summary>
    public static void UpdateNodeLink(in BlockChange change, Span<byte> page, int parent, int node, uint block, int offset) =>
        SpGistTuple.UpdateNodeLink(change, BufPage.Item(change, page, parent), node, block, offset);

    private static void AddAt(in BlockChange change, Span<byte> page, ReadOnlySpan<byte> tuple, int offset)
    {
        if (offset == 0)
        {
            BufPage.Fail(change, "offset number 0");
        }

        BufPage.AddItem(change, page, tuple, offset);
    }
}
