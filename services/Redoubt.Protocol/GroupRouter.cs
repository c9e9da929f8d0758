using Redoubt.Wal;

namespace Redoubt.Protocol;

/// <summary>Which protection group holds a page. The same on every compute and segment of a volume, for ever.</summary>
/// <remarks>Database and tablespace do not count, so that a page's copy under another database (CREATE DATABASE … STRATEGY FILE_COPY)
/// stays in its group. A free-space or visibility map is one stripe; SLRU pages and everything small live in group 0.</remarks>
public readonly struct GroupRouter
{
    /// <summary>Blocks that stay together (128 × 8 KiB = 1 MiB): a sequential read asks one group for a whole batch.</summary>
    public const uint StripeBlocks = 128;

    /// <summary>Most groups a volume can have: a record's groups are a 64-bit mask.</summary>
    public const int MaxGroups = 64;

    private readonly uint _groups;

    /// <exception cref="ArgumentOutOfRangeException">Not 1…64.</exception>
    public GroupRouter(int groups)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(groups, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(groups, MaxGroups);
        _groups = (uint)groups;
    }

    /// <summary>Number of groups.</summary>
    public int Groups => (int)_groups;

    /// <summary>Mask of all groups.</summary>
    public ulong All => _groups == 64 ? ulong.MaxValue : (1UL << (int)_groups) - 1;

    /// <summary>The group of a page.</summary>
    public int GroupOf(in PageKey key)
    {
        if (_groups == 1 || key.IsSlru)
        {
            return 0;
        }

        // Fixed 64-bit mixing (the finaliser of SplitMix64): part of the volume's format, not to be changed.
        ulong stripe = key.Fork == Fork.Main || key.Fork == Fork.Init ? key.Block / StripeBlocks : 0;
        ulong x = ((ulong)key.Rel.RelNumber << 32) ^ (stripe << 4) ^ (ulong)key.Fork;
        x += 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        x ^= x >> 31;
        return (int)(x % _groups);
    }
}
