using Google.Protobuf;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Pages;

/// <summary>Answers requests for runs of pages: from the prefetch cache, from a fetch that is under way, or from storage, one call per group.</summary>
public sealed class PageFetcher(PageSource source, FreeSpaceSource freeSpace, PageCache cache, GroupRouter router, PageMetrics metrics)
{
    private const int MostPrefetches = 8;
    private readonly SemaphoreSlim _prefetches = new(MostPrefetches);

    /// <summary>Fills <paramref name="destination"/> with <paramref name="count"/> consecutive pages.</summary>
    /// <exception cref="PageUnavailableException">Storage did not answer in time.</exception>
    public async Task GetAsync(PageKey first, int count, Memory<byte> destination, CancellationToken cancellationToken)
    {
        ulong missing = 0;
        for (int i = 0; i < count; i++)
        {
            if (cache.TryTake(At(first, i), destination.Span.Slice(i * PageRedo.PageSize, PageRedo.PageSize)))
            {
                metrics.CacheHits.Inc();
            }
            else
            {
                missing |= 1UL << i;
            }
        }

        while (missing != 0)
        {
            int group = router.GroupOf(At(first, System.Numerics.BitOperations.TrailingZeroCount(missing)));
            ulong mine = OfGroup(first, missing, group);
            missing &= ~mine;
            var pages = await FetchAsync(first, mine, group, cancellationToken).ConfigureAwait(false);
            int at = 0;
            for (ulong rest = mine; rest != 0; rest &= rest - 1, at += PageRedo.PageSize)
            {
                int i = System.Numerics.BitOperations.TrailingZeroCount(rest);
                pages.Span.Slice(at, PageRedo.PageSize).CopyTo(destination.Span[(i * PageRedo.PageSize)..]);
            }
        }

        for (int i = 0; i < count && first.Fork == Fork.FreeSpaceMap; i++)
        {
            await freeSpace.CompleteAsync(At(first, i), destination.Slice(i * PageRedo.PageSize, PageRedo.PageSize), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Fetches pages into the cache, unless too many such fetches run already. Free-space maps are made when they are asked for.</summary>
    public async Task PrefetchAsync(PageKey first, int count, CancellationToken cancellationToken)
    {
        if (first.Fork == Fork.FreeSpaceMap || !await _prefetches.WaitAsync(0, cancellationToken).ConfigureAwait(false))
        {
            return;
        }

        try
        {
            ulong missing = 0;
            for (int i = 0; i < count; i++)
            {
                missing |= cache.Contains(At(first, i)) ? 0 : 1UL << i;
            }

            while (missing != 0)
            {
                int group = router.GroupOf(At(first, System.Numerics.BitOperations.TrailingZeroCount(missing)));
                ulong mine = OfGroup(first, missing, group);
                missing &= ~mine;
                var pages = await FetchAsync(first, mine, group, cancellationToken).ConfigureAwait(false);
                int at = 0;
                for (ulong rest = mine; rest != 0; rest &= rest - 1, at += PageRedo.PageSize)
                {
                    cache.Put(At(first, System.Numerics.BitOperations.TrailingZeroCount(rest)), pages.Span.Slice(at, PageRedo.PageSize));
                }

                metrics.Prefetched.Inc(System.Numerics.BitOperations.PopCount(mine));
            }
        }
        finally
        {
            _prefetches.Release();
        }
    }

    private static PageKey At(in PageKey first, int i) => first with { Block = first.Block + (uint)i };

    private ulong OfGroup(in PageKey first, ulong wanted, int group)
    {
        ulong mine = 0;
        for (ulong rest = wanted; rest != 0; rest &= rest - 1)
        {
            int i = System.Numerics.BitOperations.TrailingZeroCount(rest);
            mine |= router.GroupOf(At(first, i)) == group ? 1UL << i : 0;
        }

        return mine;
    }

    private async Task<ByteString> FetchAsync(PageKey first, ulong wanted, int group, CancellationToken cancellationToken)
    {
        int count = System.Numerics.BitOperations.PopCount(wanted);
        var keys = new byte[count * PageKey.EncodedLength];
        int at = 0;
        for (ulong rest = wanted; rest != 0; rest &= rest - 1, at += PageKey.EncodedLength)
        {
            At(first, System.Numerics.BitOperations.TrailingZeroCount(rest)).Write(keys.AsSpan(at));
        }

        var pages = await source.GetAsync(group, UnsafeByteOperations.UnsafeWrap(keys), count, cancellationToken).ConfigureAwait(false);
        metrics.Bytes.Inc(pages.Length);
        return pages;
    }
}
