using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <summary>128 neighbouring blocks of a heap's main fork, which always share a protection group (<see cref="GroupRouter.StripeBlocks"/>).</summary>
internal readonly record struct HeapStripe(RelFileLocator Rel, uint Number)
{
    public const int Blocks = (int)GroupRouter.StripeBlocks;

    /// <summary>The stripe of a block.</summary>
    public static HeapStripe Of(in PageKey key) => new(key.Rel, key.Block / Blocks);

    /// <summary>First block.</summary>
    public uint First => Number * Blocks;

    /// <summary>A block's bit in masks over the stripe.</summary>
    public static UInt128 Bit(uint block) => UInt128.One << (int)(block % Blocks);
}

/// <summary>Blocks of a stripe whose free space is not what its row says.</summary>
/// <param name="Changed">All of them.</param>
/// <param name="Freed">Those among them that may have more room than the row says.</param>
internal readonly record struct StaleBlocks(UInt128 Changed, UInt128 Freed)
{
    /// <summary>Nothing is known about any block.</summary>
    public static StaleBlocks All => new(UInt128.MaxValue, UInt128.MaxValue);

    public static StaleBlocks operator |(StaleBlocks a, StaleBlocks b) => new(a.Changed | b.Changed, a.Freed | b.Freed);
}
