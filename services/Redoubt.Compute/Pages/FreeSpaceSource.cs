using Grpc.Core;
using Redoubt.Protocol.V1;
using Redoubt.Wal;

namespace Redoubt.Compute.Pages;

/// <summary>
/// Makes pages of free-space maps, which PostgreSQL does not log: over the page that storage has of it (from initdb, or copied with a database) goes
/// what the groups know of the room on the heap's pages.
/// </summary>
/// <remarks>Above the leaves a slot may promise too much: PostgreSQL then finds nothing below, and corrects it.</remarks>
public sealed class FreeSpaceSource(SegmentReads reads, int groups)
{
    /// <summary>Turns a map page as stored into the page as it should be.</summary>
    /// <param name="map">A page of a map fork.</param>
    /// <param name="page">As stored, or zeros; overwritten.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="PageUnavailableException">A group did not answer in time.</exception>
    public async Task CompleteAsync(PageKey map, Memory<byte> page, CancellationToken cancellationToken)
    {
        var replies = await Task.WhenAll(Enumerable.Range(0, groups).Select(group => AskAsync(group, map, cancellationToken))).ConfigureAwait(false);
        Merge(FreeSpaceMap.Locate(map.Block).Level, replies, page.Span);
    }

    /// <summary>Writes the map page that a stored one and the groups' answers make.</summary>
    /// <param name="level">Of the page.</param>
    /// <param name="replies">One of each group.</param>
    /// <param name="page">As stored, or zeros; overwritten when any group knows more.</param>
    public static void Merge(int level, IEnumerable<GetFreeSpaceReply> replies, Span<byte> page)
    {
        Span<byte> slots = stackalloc byte[FreeSpaceMap.SlotsPerPage];
        slots.Clear();
        FreeSpaceMap.Slots(page).CopyTo(slots);
        bool any = false;
        foreach (var reply in replies)
        {
            var categories = reply.Categories.Span;
            var known = reply.Known.Span;
            for (int i = 0; i < Math.Min(categories.Length, slots.Length); i++)
            {
                if (level > 0)
                {
                    slots[i] = Math.Max(slots[i], categories[i]);
                }
                else if (i < known.Length && known[i] != 0)
                {
                    slots[i] = categories[i];
                }
            }

            any |= categories.Length > 0;
        }

        if (any)
        {
            FreeSpaceMap.BuildPage(slots, page);
        }
    }

    private Task<GetFreeSpaceReply> AskAsync(int group, PageKey map, CancellationToken cancellationToken)
    {
        var (level, number) = FreeSpaceMap.Locate(map.Block);
        return reads.GetAsync(group, $"the free space of {map.Rel}", async (segment, readPoint, token) =>
        {
            var request = new GetFreeSpaceRequest
            {
                Segment = segment.Id,
                Epoch = reads.Epoch,
                ReadPoint = readPoint,
                CompleteAt = readPoint,
                Spc = map.Rel.SpcOid,
                Db = map.Rel.DbOid,
                Rel = map.Rel.RelNumber,
                Level = (uint)level,
                First = number * FreeSpaceMap.SlotsPerPage,
                Count = FreeSpaceMap.SlotsPerPage,
            };
            try
            {
                return await segment.Process.Client.GetFreeSpaceAsync(request, cancellationToken: token).ConfigureAwait(false);
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.Unimplemented)
            {
                // Storage of an older release, in the middle of an upgrade: it knows nothing of free space.
                return new GetFreeSpaceReply();
            }
        }, cancellationToken);
    }
}
