using System.Buffers.Binary;

namespace Redoubt.Storage.Pages;

/// <summary>Free space of a stripe's blocks: a mask of those that are known (16 bytes), then a free-space-map category per block (0 where not known).</summary>
internal sealed class FreeSpaceRow
{
    public const int Length = 16 + HeapStripe.Blocks;
    private readonly byte[] _bytes = new byte[Length];

    public FreeSpaceRow()
    {
    }

    /// <summary>A stored row; one of another length counts as empty.</summary>
    public FreeSpaceRow(ReadOnlySpan<byte> stored)
    {
        if (stored.Length == Length)
        {
            stored.CopyTo(_bytes);
        }
    }

    public ReadOnlySpan<byte> Bytes => _bytes;

    public UInt128 Known
    {
        get => BinaryPrimitives.ReadUInt128LittleEndian(_bytes);
        private set => BinaryPrimitives.WriteUInt128LittleEndian(_bytes, value);
    }

    /// <summary>A category per block.</summary>
    public ReadOnlySpan<byte> Categories => _bytes.AsSpan(16);

    public void Set(uint block, byte category)
    {
        Known |= HeapStripe.Bit(block);
        _bytes[16 + (block % HeapStripe.Blocks)] = category;
    }

    /// <summary>The block has gone, or cannot be read.</summary>
    public void Forget(uint block)
    {
        Known &= ~HeapStripe.Bit(block);
        _bytes[16 + (block % HeapStripe.Blocks)] = 0;
    }
}
