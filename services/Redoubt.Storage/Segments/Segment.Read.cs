using System.Buffers.Binary;
using System.Diagnostics;
using Google.Protobuf;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Chain;
using Redoubt.Storage.Pages;
using Redoubt.Wal;

namespace Redoubt.Storage.Segments;

/// <content>Pages at an LSN.</content>
internal sealed partial class Segment
{
    /// <summary>Most pages in one request.</summary>
    public const int MaxPages = 4096;

    private static readonly TimeSpan ReadPatience = TimeSpan.FromSeconds(10);
    private readonly System.Collections.Concurrent.ConcurrentBag<PageReader> _readers = [];

    /// <summary>Serves pages, all at one read point.</summary>
    /// <exception cref="EpochRefusedException">The compute is fenced.</exception>
    /// <exception cref="SegmentNotReadyException">The segment is not complete or not applied far enough.</exception>
    /// <exception cref="HorizonException">Versions that old may be gone.</exception>
    /// <exception cref="StoreCorruptException">A stored version is damaged and no peer could help.</exception>
    public async Task<GetPagesReply> GetPagesAsync(GetPagesRequest request, CancellationToken cancellation)
    {
        var keys = ParseKeys(request.Keys.Span);
        var pages = GC.AllocateUninitializedArray<byte>(keys.Length * PageRedo.PageSize);
        var found = new byte[keys.Length];
        await ReadPagesAsync(new ReadAt(request.Epoch, request.ReadPoint, request.CompleteAt), keys, pages, found, cancellation).ConfigureAwait(false);
        return new GetPagesReply { Pages = UnsafeByteOperations.UnsafeWrap(pages), Found = UnsafeByteOperations.UnsafeWrap(found) };
    }

    /// <summary>Reads pages, all at one read point. Throws as <see cref="GetPagesAsync"/>.</summary>
    /// <param name="at">Who reads, and where.</param>
    /// <param name="keys">Of the pages.</param>
    /// <param name="pages">Gets them, 8192 bytes each; zeros for a page without a version.</param>
    /// <param name="found">Gets 1 for each page that has a version, else 0.</param>
    /// <param name="cancellation">Ends it.</param>
    public async ValueTask ReadPagesAsync(ReadAt at, ReadOnlyMemory<PageKey> keys, Memory<byte> pages, Memory<byte> found, CancellationToken cancellation)
    {
        long began = Stopwatch.GetTimestamp();
        using var activity = StorageTracing.Source.StartActivity("storage.get_pages", ActivityKind.Server, at.Trace);
        activity?.SetTag("pages", keys.Length);
        await BeginReadAsync(at.Epoch, at.ReadPoint, at.CompleteAt, cancellation).ConfigureAwait(false);
        try
        {
            if (Drills.DelayMs is > 0 and int delay)
            {
                await Task.Delay(delay, cancellation).ConfigureAwait(false);
            }

            if (ReadPages(keys.Span, at.ReadPoint, pages.Span, found.Span) is { } damaged)
            {
                foreach (var (index, badRow, error) in damaged)
                {
                    var page = pages.Slice(index * PageRedo.PageSize, PageRedo.PageSize);
                    bool exists = await RepairPageAsync(keys.Span[index], at, badRow, error, page, cancellation).ConfigureAwait(false);
                    found.Span[index] = exists ? (byte)1 : (byte)0;
                }
            }

            _metrics.Read(Stopwatch.GetElapsedTime(began), keys.Length);
        }
        finally
        {
            Unpin(at.ReadPoint);
        }
    }

    /// <summary>CRC-32C of every page at a read point, in key order.</summary>
    public async IAsyncEnumerable<PageChecksums> ChecksumPagesAsync(
        ChecksumPagesRequest request, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        await BeginReadAsync(request.Epoch, request.ReadPoint, request.CompleteAt, cancellation).ConfigureAwait(false);
        try
        {
            PageKey? after = null;
            while (ChecksumSome(ref after, request.ReadPoint) is { } chunk)
            {
                cancellation.ThrowIfCancellationRequested();
                yield return chunk;
            }
        }
        finally
        {
            Unpin(request.ReadPoint);
        }
    }

    /// <summary>Everything a read must pass: epoch, completeness, horizon, applied. Afterwards the read point is pinned: <see cref="Unpin"/> it.</summary>
    private async Task BeginReadAsync(ulong epoch, ulong readPoint, ulong completeAt, CancellationToken cancellation)
    {
        lock (_gate)
        {
            _core.RequireReadable(epoch, completeAt);
            Pin(readPoint);
        }

        try
        {
            await WaitAppliedAsync(completeAt, cancellation).ConfigureAwait(false);
        }
        catch
        {
            Unpin(readPoint);
            throw;
        }
    }

    private PageKey[] ParseKeys(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length % PageKey.EncodedLength != 0 || bytes.Length / PageKey.EncodedLength > MaxPages)
        {
            throw new ArgumentException($"{bytes.Length} bytes are not at most {MaxPages} page keys of {PageKey.EncodedLength} bytes");
        }

        var keys = new PageKey[bytes.Length / PageKey.EncodedLength];
        for (int i = 0; i < keys.Length; i++)
        {
            keys[i] = PageKey.Read(bytes[(i * PageKey.EncodedLength)..]);
            if (_router.GroupOf(keys[i]) is int group && group != Group)
            {
                throw new ArgumentException($"{keys[i]} lives in group {group}, not in {Group}");
            }
        }

        return keys;
    }

    private List<(int Index, bool BadRow, string Error)>? ReadPages(ReadOnlySpan<PageKey> keys, ulong readPoint, Span<byte> pages, Span<byte> found)
    {
        List<(int, bool, string)>? damaged = null;
        var store = AcquireStore();
        var reader = _readers.TryTake(out var pooled) ? pooled : new PageReader(_options.PgVersion);
        try
        {
            // Floors before the iterator: collecting rows removes them before it removes the cut that hides them.
            Span<ulong> floors = keys.Length <= PageStream.MaxPages ? stackalloc ulong[PageStream.MaxPages] : new ulong[keys.Length];
            for (int i = 0; i < keys.Length; i++)
            {
                floors[i] = store.Cuts.Floor(keys[i], readPoint);
            }

            using var iterator = store.NewIterator();
            for (int i = 0; i < keys.Length; i++)
            {
                try
                {
                    found[i] = reader.Read(iterator, keys[i], readPoint, floors[i], pages.Slice(i * PageRedo.PageSize, PageRedo.PageSize)) ? (byte)1 : (byte)0;
                    if (reader.ChainLength > _options.CoalesceAfter)
                    {
                        _heat.Mark(keys[i]);
                    }
                }
                catch (StoreCorruptException e)
                {
                    (damaged ??= []).Add((i, reader.HasRows, e.Message));
                }
            }
        }
        finally
        {
            _readers.Add(reader);
            store.Release();
        }

        return damaged;
    }

    private PageChecksums? ChecksumSome(ref PageKey? after, ulong readPoint)
    {
        const int PagesPerChunk = 1024;
        var store = AcquireStore();
        try
        {
            var keys = new byte[PagesPerChunk * PageKey.EncodedLength];
            var crcs = new byte[PagesPerChunk * 4];
            int count = 0;
            var reader = new PageReader(_options.PgVersion);
            var page = new byte[PageRedo.PageSize];
            using var scan = store.NewIterator(scan: true);
            using var iterator = store.NewIterator(scan: true);
            while (count < PagesPerChunk && NextPage(scan, after) is { } key)
            {
                after = key;
                if (reader.Read(iterator, key, readPoint, store.Cuts.Floor(key, readPoint), page))
                {
                    key.Write(keys.AsSpan(count * PageKey.EncodedLength));
                    BinaryPrimitives.WriteUInt32LittleEndian(crcs.AsSpan(count * 4), Crc32C.Compute(page));
                    count++;
                }
            }

            return count == 0
                ? null
                : new PageChecksums
                {
                    Keys = UnsafeByteOperations.UnsafeWrap(keys.AsMemory(0, count * PageKey.EncodedLength)),
                    Crcs = UnsafeByteOperations.UnsafeWrap(crcs.AsMemory(0, count * 4)),
                };
        }
        finally
        {
            store.Release();
        }
    }

    /// <summary>The first page with any version after a key.</summary>
    private static PageKey? NextPage(Rocks.Iterator scan, PageKey? after)
    {
        Span<byte> seek = stackalloc byte[StoreKeys.PageLength + 1];
        if (after is { } key)
        {
            StoreKeys.WritePage(seek, key, ulong.MaxValue, ushort.MaxValue);
            seek[^1] = 0;
        }
        else
        {
            seek = seek[..1];
            seek[0] = StoreKeys.Page;
        }

        scan.Seek((ReadOnlySpan<byte>)seek);
        if (!scan.Valid())
        {
            PageStore.Check(scan);
            return null;
        }

        var found = scan.GetKeySpan();
        return found[0] == StoreKeys.Page ? PageKey.Read(found[1..]) : null;
    }

    private PageStore AcquireStore()
    {
        while (true)
        {
            var store = Volatile.Read(ref _store);
            if (store.TryAcquire())
            {
                return store;
            }

            ObjectDisposedException.ThrowIf(_disposed, this);
            Thread.Yield();
        }
    }
}
