using System.Buffers;
using System.Numerics;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Pages;

/// <summary>Answers requests for runs of pages, on the calling thread: from the prefetch cache, the rest from storage with one request a group.</summary>
public sealed class PageFetcher(PageSource source, FreeSpaceSource freeSpace, PageCache cache, GroupRouter router, PageMetrics metrics)
{
    /// <summary>Gets consecutive pages.</summary>
    /// <param name="first">The first.</param>
    /// <param name="count">How many, at most <see cref="PageStream.MaxPages"/>.</param>
    /// <param name="destination">Gets them, 8192 bytes each.</param>
    /// <exception cref="PageUnavailableException">Storage did not answer in time.</exception>
    public void Get(PageKey first, int count, Memory<byte> destination)
    {
        var pages = destination.Span;
        ulong missing = 0;
        for (int i = 0; i < count; i++)
        {
            if (cache.TryTake(At(first, i), PageOf(pages, i)))
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
            var (group, mine) = TakeGroup(first, ref missing);
            int begin = BitOperations.TrailingZeroCount(mine), length = BitOperations.PopCount(mine);
            if (mine >> begin == ulong.MaxValue >> (64 - length))
            {
                Fetch(first, mine, group, pages.Slice(begin * PageRedo.PageSize, length * PageRedo.PageSize));
                continue;
            }

            byte[] scattered = ArrayPool<byte>.Shared.Rent(length * PageRedo.PageSize);
            Fetch(first, mine, group, scattered.AsSpan(0, length * PageRedo.PageSize));
            for (int n = 0; mine != 0; mine &= mine - 1, n++)
            {
                PageOf(scattered, n).CopyTo(PageOf(pages, BitOperations.TrailingZeroCount(mine)));
            }

            ArrayPool<byte>.Shared.Return(scattered);
        }

        for (int i = 0; i < count && first.Fork == Fork.FreeSpaceMap; i++)
        {
            freeSpace.CompleteAsync(At(first, i), destination.Slice(i * PageRedo.PageSize, PageRedo.PageSize), CancellationToken.None).GetAwaiter().GetResult();
        }
    }

    /// <summary>Gets consecutive pages into the cache. Free-space maps are made when they are asked for.</summary>
    /// <exception cref="PageUnavailableException">Storage did not answer in time.</exception>
    public void Prefetch(PageKey first, int count)
    {
        if (first.Fork == Fork.FreeSpaceMap)
        {
            return;
        }

        ulong missing = 0;
        for (int i = 0; i < count; i++)
        {
            missing |= cache.Contains(At(first, i)) ? 0 : 1UL << i;
        }

        byte[] pages = ArrayPool<byte>.Shared.Rent(count * PageRedo.PageSize);
        while (missing != 0)
        {
            var (group, mine) = TakeGroup(first, ref missing);
            int length = BitOperations.PopCount(mine);
            Fetch(first, mine, group, pages.AsSpan(0, length * PageRedo.PageSize));
            for (int n = 0; mine != 0; mine &= mine - 1, n++)
            {
                cache.Put(At(first, BitOperations.TrailingZeroCount(mine)), PageOf(pages, n));
            }

            metrics.Prefetched.Inc(length);
        }

        ArrayPool<byte>.Shared.Return(pages);
    }

    private static PageKey At(in PageKey first, int i) => first with { Block = first.Block + (uint)i };

    private static Span<byte> PageOf(Span<byte> pages, int i) => pages.Slice(i * PageRedo.PageSize, PageRedo.PageSize);

    /// <summary>Takes those out of <paramref name="wanted"/> that the first of them shares its group with.</summary>
    private (int Group, ulong Mine) TakeGroup(in PageKey first, ref ulong wanted)
    {
        int group = router.GroupOf(At(first, BitOperations.TrailingZeroCount(wanted)));
        ulong mine = 0;
        for (ulong rest = wanted; rest != 0; rest &= rest - 1)
        {
            int i = BitOperations.TrailingZeroCount(rest);
            mine |= router.GroupOf(At(first, i)) == group ? 1UL << i : 0;
        }

        wanted &= ~mine;
        return (group, mine);
    }

    private void Fetch(in PageKey first, ulong wanted, int group, Span<byte> pages)
    {
        Span<byte> keys = stackalloc byte[PageStream.MaxPages * PageKey.EncodedLength];
        int length = 0;
        for (ulong rest = wanted; rest != 0; rest &= rest - 1, length += PageKey.EncodedLength)
        {
            At(first, BitOperations.TrailingZeroCount(rest)).Write(keys[length..]);
        }

        source.Get(group, keys[..length], pages);
        metrics.Bytes.Inc(pages.Length);
    }
}
