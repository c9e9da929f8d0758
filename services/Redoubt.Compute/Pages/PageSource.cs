using Google.Protobuf;
using Redoubt.Protocol.V1;
using Redoubt.Wal;

namespace Redoubt.Compute.Pages;

/// <summary>Gets pages of one group that nobody touched since the bootstrap.</summary>
public sealed class PageSource(SegmentReads reads)
{
    /// <summary>Reads pages.</summary>
    /// <param name="group">The group that holds them all.</param>
    /// <param name="keys">Their keys, <see cref="PageKey.Write"/> after <see cref="PageKey.Write"/>.</param>
    /// <param name="count">How many.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>count × 8192 bytes; zeros for a page without a version.</returns>
    /// <exception cref="PageUnavailableException">Nobody could serve them in time.</exception>
    public Task<ByteString> GetAsync(int group, ByteString keys, int count, CancellationToken cancellationToken) =>
        reads.GetAsync(group, $"{count} page(s)", async (segment, readPoint, token) =>
        {
            var request = new GetPagesRequest
            {
                Segment = segment.Id,
                Epoch = reads.Epoch,
                ReadPoint = readPoint,
                CompleteAt = readPoint,
                Keys = keys,
            };
            var reply = await segment.Process.Client.GetPagesAsync(request, cancellationToken: token).ConfigureAwait(false);
            return reply.Pages.Length == count * PageRedo.PageSize
                ? reply.Pages
                : throw new PageUnavailableException($"{segment.Name} answered {reply.Pages.Length} bytes for {count} page(s)");
        }, cancellationToken);
}
