using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>Reads <see cref="BlockChange.References"/>.</summary>
internal static class References
{
    private const int EntrySize = 6;

    /// <summary>The block number that the record's reference <paramref name="blockId"/> names; false when there is no such reference.</summary>
    public static bool TryGet(in BlockChange change, int blockId, out uint block)
    {
        if (change.BlockId == blockId)
        {
            block = change.Key.Block;
            return true;
        }

        ReadOnlySpan<byte> rest = change.References;
        for (; rest.Length >= EntrySize; rest = rest[EntrySize..])
        {
            if (rest[0] == blockId)
            {
                block = BinaryPrimitives.ReadUInt32LittleEndian(rest[2..]);
                return true;
            }
        }

        block = 0;
        return false;
    }

    /// <summary>The block number of a reference that the record must have.</summary>
    public static uint Get(in BlockChange change, int blockId)
    {
        if (!TryGet(change, blockId, out uint block))
        {
            BufPage.Fail(change, $"the record has no block reference {blockId}");
        }

        return block;
    }
}
