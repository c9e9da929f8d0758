using System.Runtime.InteropServices;
using Redoubt.Storage.Rocks;
using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <summary>
/// How much room there is on each heap page, for free-space maps, which PostgreSQL does not log. Applying only marks blocks as stale; their pages are
/// made later, slowly in the background or at once when a map page is asked for. It is advice: a wrong category costs PostgreSQL another try.
/// </summary>
/// <remarks>
/// A row <c>D</c> says that a stripe's row is stale; which of its blocks is known in memory only, so after a restart all are. <c>D</c> is written together
/// with the page rows that make it true, and removed together with the row that ends it. Locks: <c>_refreshing</c> before <c>_gate</c>.
/// </remarks>
internal sealed class FreeSpaceTable(PageStore store)
{
    private const int MaxStripes = 100_000;
    private readonly Lock _refreshing = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<HeapStripe, StaleBlocks> _stale = [];
    private PageReader? _reader;
    private byte[] _cursor = [StoreKeys.FreeSpaceStale];

    /// <summary>Writes a batch of rows, and that these blocks' free space is stale now.</summary>
    public void Write(WriteBatch batch, Dictionary<HeapStripe, StaleBlocks> marks)
    {
        if (marks.Count == 0)
        {
            store.Write(batch);
            return;
        }

        lock (_gate)
        {
            if (_stale.Count + marks.Count > MaxStripes)
            {
                // What is forgotten counts as wholly stale as long as its row is there.
                _stale.Clear();
            }

            Span<byte> row = stackalloc byte[StoreKeys.StripeLength];
            foreach (var (stripe, blocks) in marks)
            {
                ref var stale = ref CollectionsMarshal.GetValueRefOrAddDefault(_stale, stripe, out bool known);
                StoreKeys.WriteStripe(row, StoreKeys.FreeSpaceStale, stripe);
                if (known || store.Get(row.ToArray()) is null)
                {
                    stale |= blocks;
                }
                else
                {
                    stale = StaleBlocks.All;
                }

                if (!known)
                {
                    batch.Put(row, [1]);
                }
            }

            store.Write(batch);
        }
    }

    /// <summary>Brings stale stripes up to date, about so many pages of them, from where the last call ended.</summary>
    /// <param name="version">Of the pages.</param>
    /// <param name="pages">Pages to make.</param>
    /// <param name="damaged">Gets pages that could not be made.</param>
    /// <returns>False: the end of the table was reached.</returns>
    public bool RefreshSome(PgVersion version, int pages, List<PageKey> damaged)
    {
        while (pages > 0)
        {
            HeapStripe stripe;
            using (var scan = store.NewIterator(scan: true))
            {
                scan.Seek(_cursor);
                if (!TryStripe(scan, StoreKeys.FreeSpaceStale, out stripe))
                {
                    _cursor = [StoreKeys.FreeSpaceStale];
                    return false;
                }

                _cursor = [.. scan.GetKeySpan(), 0];
            }

            pages -= Math.Max(1, Refresh(version, stripe, damaged));
        }

        return true;
    }

    /// <summary>Categories of blocks of a heap, after bringing them up to date.</summary>
    /// <param name="version">Of the pages.</param>
    /// <param name="rel">The heap.</param>
    /// <param name="first">First block.</param>
    /// <param name="categories">One byte a block; 0 where not known.</param>
    /// <param name="known">Per block 1: it exists here and is known.</param>
    /// <param name="damaged">Gets pages that could not be made.</param>
    /// <param name="cancellation">Ends it between stripes.</param>
    /// <returns>False when nothing is known of any.</returns>
    public bool ReadBlocks(
        PgVersion version, in RelFileLocator rel, uint first, Span<byte> categories, Span<byte> known, List<PageKey> damaged, CancellationToken cancellation)
    {
        uint last = (uint)Math.Min(uint.MaxValue, first + (long)categories.Length - 1);
        foreach (var stripe in StaleStripes(rel, first / HeapStripe.Blocks, last / HeapStripe.Blocks))
        {
            cancellation.ThrowIfCancellationRequested();
            Refresh(version, stripe, damaged);
        }

        uint size = SizeOf(rel);
        bool any = false;
        using var scan = store.NewIterator(scan: true);
        for (Seek(scan, StoreKeys.FreeSpace, new HeapStripe(rel, first / HeapStripe.Blocks));
             TryStripe(scan, StoreKeys.FreeSpace, out var stripe) && stripe.Rel == rel && stripe.First <= last; scan.Next())
        {
            var row = new FreeSpaceRow(scan.GetValueSpan());
            for (uint i = 0; i < HeapStripe.Blocks; i++)
            {
                uint block = stripe.First + i;
                if (block >= first && block <= last && block < size && (row.Known & HeapStripe.Bit(block)) != 0)
                {
                    categories[(int)(block - first)] = row.Categories[(int)i];
                    known[(int)(block - first)] = 1;
                    any = true;
                }
            }
        }

        return any;
    }

    /// <summary>The most that any block under each slot of a map page above the leaves may have: 255 where blocks were freed and not looked at since.</summary>
    /// <param name="rel">The heap.</param>
    /// <param name="blocksPerSlot">Heap blocks under a slot.</param>
    /// <param name="first">First slot.</param>
    /// <param name="categories">One byte a slot.</param>
    /// <returns>False when nothing is known of the heap.</returns>
    public bool ReadSlots(in RelFileLocator rel, ulong blocksPerSlot, ulong first, Span<byte> categories)
    {
        ulong begin = first * blocksPerSlot, end = begin + ((ulong)categories.Length * blocksPerSlot);
        if (begin > uint.MaxValue)
        {
            return false;
        }

        uint size = SizeOf(rel);
        bool any = false;
        var start = new HeapStripe(rel, (uint)(begin / HeapStripe.Blocks));
        using var scan = store.NewIterator(scan: true);
        for (Seek(scan, StoreKeys.FreeSpace, start);
             TryStripe(scan, StoreKeys.FreeSpace, out var stripe) && stripe.Rel == rel && stripe.First < end; scan.Next())
        {
            any = true;
            var row = scan.GetValueSpan();
            for (uint i = 0; i < HeapStripe.Blocks && stripe.First + i < size && row.Length == FreeSpaceRow.Length; i++)
            {
                Raise(categories, stripe.First + i, row[16 + (int)i]);
            }
        }

        foreach (var stripe in StaleStripes(rel, start.Number, (uint)((Math.Min(end, uint.MaxValue) - 1) / HeapStripe.Blocks)))
        {
            any = true;
            UInt128 freed;
            lock (_gate)
            {
                freed = _stale.TryGetValue(stripe, out var stale) ? stale.Freed : UInt128.MaxValue;
            }

            for (uint i = 0; i < HeapStripe.Blocks && stripe.First + i < size; i++)
            {
                if ((freed & HeapStripe.Bit(i)) != 0)
                {
                    Raise(categories, stripe.First + i, byte.MaxValue);
                }
            }
        }

        return any;

        void Raise(Span<byte> to, uint block, byte category)
        {
            if (block >= begin && block < end)
            {
                ref byte slot = ref to[(int)((block - begin) / blocksPerSlot)];
                slot = Math.Max(slot, category);
            }
        }
    }

    /// <summary>Makes the stale pages of one stripe and writes its row.</summary>
    /// <returns>Pages made.</returns>
    private int Refresh(PgVersion version, in HeapStripe stripe, List<PageKey> damaged)
    {
        lock (_refreshing)
        {
            var changed = Take(stripe);
            if (changed == 0)
            {
                return 0;
            }

            bool done = false;
            try
            {
                int made = Refresh(version, stripe, changed, damaged);
                done = true;
                return made;
            }
            finally
            {
                if (!done)
                {
                    lock (_gate)
                    {
                        _stale.Remove(stripe);
                    }
                }
            }
        }
    }

    private int Refresh(PgVersion version, in HeapStripe stripe, UInt128 changed, List<PageKey> damaged)
    {
        Span<byte> rowKey = stackalloc byte[StoreKeys.StripeLength];
        StoreKeys.WriteStripe(rowKey, StoreKeys.FreeSpace, stripe);
        var row = new FreeSpaceRow(store.Get(rowKey.ToArray()));
        uint size = SizeOf(stripe.Rel);
        _reader ??= new PageReader(version);
        var page = new byte[PageRedo.PageSize];
        Span<ulong> floors = stackalloc ulong[HeapStripe.Blocks];
        for (uint i = 0; i < HeapStripe.Blocks; i++)
        {
            floors[(int)i] = store.Cuts.Floor(new PageKey(stripe.Rel, Fork.Main, stripe.First + i), ulong.MaxValue);
        }

        int made = 0;
        using (var iterator = store.NewIterator())
        {
            for (uint i = 0; i < HeapStripe.Blocks; i++)
            {
                uint block = stripe.First + i;
                if ((changed & HeapStripe.Bit(i)) == 0)
                {
                    continue;
                }

                row.Forget(block);
                var key = new PageKey(stripe.Rel, Fork.Main, block);
                try
                {
                    if (block < size && _reader.Read(iterator, key, ulong.MaxValue, floors[(int)i], page))
                    {
                        row.Set(block, FreeSpaceMap.Category(HeapSpace.FreeBytes(page)));
                        made++;
                    }
                }
                catch (StoreCorruptException)
                {
                    damaged.Add(key);
                }
            }
        }

        using var batch = new WriteBatch();
        batch.Put(rowKey, row.Bytes);
        lock (_gate)
        {
            if (_stale.TryGetValue(stripe, out var stale) && stale.Changed == 0)
            {
                StoreKeys.WriteStripe(rowKey, StoreKeys.FreeSpaceStale, stripe);
                batch.Delete(rowKey.ToArray());
                _stale.Remove(stripe);
            }

            store.Write(batch);
        }

        return made;
    }

    /// <summary>The stripe's stale blocks, which count as fresh from here on.</summary>
    private UInt128 Take(in HeapStripe stripe)
    {
        Span<byte> row = stackalloc byte[StoreKeys.StripeLength];
        StoreKeys.WriteStripe(row, StoreKeys.FreeSpaceStale, stripe);
        lock (_gate)
        {
            var changed = _stale.TryGetValue(stripe, out var stale) ? stale.Changed
                : store.Get(row.ToArray()) is not null ? UInt128.MaxValue
                : 0;
            if (changed != 0)
            {
                _stale[stripe] = default;
            }

            return changed;
        }
    }

    private List<HeapStripe> StaleStripes(in RelFileLocator rel, uint first, uint last)
    {
        var stripes = new List<HeapStripe>();
        using var scan = store.NewIterator(scan: true);
        for (Seek(scan, StoreKeys.FreeSpaceStale, new HeapStripe(rel, first));
             TryStripe(scan, StoreKeys.FreeSpaceStale, out var stripe) && stripe.Rel == rel && stripe.Number <= last; scan.Next())
        {
            stripes.Add(stripe);
        }

        return stripes;
    }

    /// <summary>Blocks that the heap has here, by all that is stored.</summary>
    private uint SizeOf(in RelFileLocator rel) => store.ForkSize(rel, (byte)Fork.Main, ulong.MaxValue) ?? 0;

    private static void Seek(Iterator scan, byte kind, in HeapStripe stripe)
    {
        Span<byte> seek = stackalloc byte[StoreKeys.StripeLength];
        StoreKeys.WriteStripe(seek, kind, stripe);
        scan.Seek((ReadOnlySpan<byte>)seek);
    }

    private static bool TryStripe(Iterator scan, byte kind, out HeapStripe stripe)
    {
        stripe = default;
        if (!scan.Valid())
        {
            PageStore.Check(scan);
            return false;
        }

        var key = scan.GetKeySpan();
        if (key[0] != kind || key.Length != StoreKeys.StripeLength)
        {
            return false;
        }

        stripe = StoreKeys.ReadStripe(key);
        return true;
    }
}
