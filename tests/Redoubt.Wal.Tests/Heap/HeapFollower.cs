using Redoubt.Wal.Tests.IndexAccess;

namespace Redoubt.Wal.Tests.Heap;

/// <summary>Keeps the pages whose beginning is in the log, by redo; before each change applies damaged forms of it to copies.</summary>
internal sealed class HeapFollower(PgVersion version)
{
    private readonly Dictionary<PageKey, byte[]> _pages = [];
    private readonly Random _random = new(20261123);

    public int DamageEvery { get; init; }

    public int Applied { get; private set; }

    public int Refused { get; private set; }

    public int Survived { get; private set; }

    public int Freed { get; private set; }

    public long Allocated { get; private set; }

    public void Apply(in BlockChange change)
    {
        if (change.Rmgr is not (RmgrId.Heap or RmgrId.Heap2 or RmgrId.Sequence or RmgrId.Xlog or BlockChange.Implicit))
        {
            return;
        }

        if (!_pages.TryGetValue(change.Key, out byte[]? page))
        {
            if ((change.Flags & BlockChangeFlags.WillInit) == 0)
            {
                return;
            }

            _pages[change.Key] = page = new byte[PageRedo.PageSize];
        }

        if (DamageEvery > 0 && Applied % DamageEvery == 0)
        {
            for (int i = 0; i < 20; i++)
            {
                ApplyDamaged(change, page);
            }
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        int roomBefore = HeapSpace.FreeBytes(page);
        PageRedo.Apply(version, change, page);
        int room = HeapSpace.FreeBytes(page);
        var effect = HeapSpace.Of(change);
        Allocated += GC.GetAllocatedBytesForCurrentThread() - before;
        CheckRoom(change, effect, roomBefore, room);
        Applied++;
    }

    /// <summary>What is told from the record alone is what happens to the page.</summary>
    private void CheckRoom(in BlockChange change, SpaceEffect effect, int before, int after)
    {
        Assert.InRange(after, 0, PageRedo.PageSize);
        if (change.Key.Fork != Fork.Main || change.Rmgr is not (RmgrId.Heap or RmgrId.Heap2))
        {
            Assert.Equal(SpaceEffect.None, effect);
            return;
        }

        if ((change.Flags & (BlockChangeFlags.WillInit | BlockChangeFlags.ApplyImage)) != 0)
        {
            return;
        }

        Assert.True(
            effect switch { SpaceEffect.None => after == before, SpaceEffect.Changed => after <= before, _ => after >= before },
            $"{change.Key} at {change.Lsn}, kind {change.Rmgr} {change.Info:X2}: {effect}, {before} → {after} bytes");
        Freed += effect == SpaceEffect.Freed && after > before ? 1 : 0;
    }

    private void ApplyDamaged(in BlockChange change, byte[] page)
    {
        byte[] copy = (byte[])page.Clone();
        BlockChange damaged = Damage.Apply(_random, change, copy);
        try
        {
            PageRedo.Apply(version, damaged, copy);
            HeapSpace.FreeBytes(copy);
            Survived++;
        }
        catch (RedoException e)
        {
            Assert.Contains(change.Lsn.ToString(), e.Message);
            Refused++;
        }
    }
}
