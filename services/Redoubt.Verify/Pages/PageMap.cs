namespace Redoubt.Verify.Pages;

/// <summary>The pages of one fork or SLRU: which slot holds which block, and how many blocks there are.</summary>
internal sealed class PageMap
{
    private int[] _slots = [];

    /// <summary>Blocks; the highest one with a slot is below it.</summary>
    public uint Blocks { get; private set; }

    /// <summary>The slot of a block, -1 when the block is all zero.</summary>
    public int Slot(uint block) => block < _slots.Length ? _slots[block] - 1 : -1;

    /// <summary>The slot of a block, taking a new one when it has none; the fork grows to include it.</summary>
    public int Require(uint block, PageSlots slots)
    {
        Grow(block + 1);
        if (block >= _slots.Length)
        {
            Array.Resize(ref _slots, (int)Math.Max(block + 1, Math.Min(2L * _slots.Length, int.MaxValue / 2)));
        }

        ref int slot = ref _slots[block];
        if (slot == 0)
        {
            slot = slots.Take() + 1;
        }

        return slot - 1;
    }

    /// <summary>Makes the fork at least this long.</summary>
    public void Grow(uint blocks) => Blocks = Math.Max(Blocks, blocks);

    /// <summary>Cuts the fork.</summary>
    public void Truncate(uint blocks, PageSlots slots)
    {
        for (uint block = blocks; block < Blocks; block++)
        {
            Forget(block, slots);
        }

        Blocks = Math.Min(Blocks, blocks);
    }

    /// <summary>Makes one block zero again.</summary>
    public void Forget(uint block, PageSlots slots)
    {
        if (block < _slots.Length && _slots[block] != 0)
        {
            slots.Return(_slots[block] - 1);
            _slots[block] = 0;
        }
    }
}
