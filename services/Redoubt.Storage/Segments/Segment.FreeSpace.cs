using Google.Protobuf;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Pages;
using Redoubt.Storage.Rocks;
using Redoubt.Wal;

namespace Redoubt.Storage.Segments;

/// <content>Room on heap pages: answered for free-space maps, and brought up to date slowly so that answers are cheap.</content>
internal sealed partial class Segment
{
    private long _freeSpaceAt = Environment.TickCount64;
    private long _freeSpacePassAt;

    /// <summary>Slots of a free-space map's page, as far as this group's pages make them.</summary>
    /// <exception cref="EpochRefusedException">The compute is fenced.</exception>
    /// <exception cref="SegmentNotReadyException">The segment is not complete or not applied far enough.</exception>
    /// <exception cref="HorizonException">The read point is too old.</exception>
    /// <exception cref="ArgumentException">There are no such slots.</exception>
    public async Task<GetFreeSpaceReply> GetFreeSpaceAsync(GetFreeSpaceRequest request, CancellationToken cancellation)
    {
        if (request.Level >= FreeSpaceMap.Levels || request.Count is 0 or > FreeSpaceMap.SlotsPerPage)
        {
            throw new ArgumentException($"a free-space map has no {request.Count} slots on level {request.Level}");
        }

        await BeginReadAsync(request.Epoch, request.ReadPoint, request.CompleteAt, cancellation).ConfigureAwait(false);
        try
        {
            if (Drills.DelayMs is > 0 and int delay)
            {
                await Task.Delay(delay, cancellation).ConfigureAwait(false);
            }

            return ReadFreeSpace(request, cancellation);
        }
        finally
        {
            Unpin(request.ReadPoint);
        }
    }

    /// <summary>Brings some pages' free space up to date: a bounded number a second, and every page at most once a round.</summary>
    /// <returns>True when there is more to do at once.</returns>
    public bool RefreshFreeSpaceSafely()
    {
        long now = Environment.TickCount64;
        long due = now - _freeSpaceAt;
        if (due * _options.FreeSpacePagesPerSecond < HeapStripe.Blocks * 1_000L || now < _freeSpacePassAt)
        {
            return false;
        }

        // Time saved up beyond a second is lost.
        _freeSpaceAt = now - Math.Min(due - (HeapStripe.Blocks * 1_000L / _options.FreeSpacePagesPerSecond), 1_000);
        try
        {
            if (RefreshFreeSpace(HeapStripe.Blocks))
            {
                return true;
            }

            _freeSpacePassAt = now + (long)_options.FreeSpaceEvery.TotalMilliseconds;
        }
        catch (Exception e) when (e is StoreCorruptException or RocksDbException or ObjectDisposedException)
        {
            SuspectStore(e);
            _logger.BackgroundFailed(Group, e.Message);
        }

        return false;
    }

    /// <summary>Brings about so many pages' free space up to date; false when the end of those that are stale was reached.</summary>
    internal bool RefreshFreeSpace(int pages)
    {
        var damaged = new List<PageKey>();
        var store = AcquireStore();
        try
        {
            return store.FreeSpace.RefreshSome(_options.PgVersion, pages, damaged);
        }
        finally
        {
            store.Release();
            Repair(damaged);
        }
    }

    private GetFreeSpaceReply ReadFreeSpace(GetFreeSpaceRequest request, CancellationToken cancellation)
    {
        var rel = new RelFileLocator(request.Spc, request.Db, request.Rel);
        var categories = new byte[request.Count];
        var known = request.Level == 0 ? new byte[request.Count] : [];
        var damaged = new List<PageKey>();
        var store = AcquireStore();
        try
        {
            bool any = request.Level == 0
                ? store.FreeSpace.ReadBlocks(_options.PgVersion, rel, request.First, categories, known, damaged, cancellation)
                : store.FreeSpace.ReadSlots(rel, FreeSpaceMap.HeapBlocksPerSlot((int)request.Level), request.First, categories);
            return any
                ? new GetFreeSpaceReply { Categories = UnsafeByteOperations.UnsafeWrap(categories), Known = UnsafeByteOperations.UnsafeWrap(known) }
                : new GetFreeSpaceReply();
        }
        finally
        {
            store.Release();
            Repair(damaged);
        }
    }

    private void Repair(List<PageKey> damaged)
    {
        foreach (var key in damaged)
        {
            _ = RepairByReadingAsync(key);
        }
    }
}
