using Grpc.Core;
using Redoubt.Compute.Pages;
using Redoubt.Compute.Shipping;
using Redoubt.Compute.Volume;
using Redoubt.Protocol.V1;
using Redoubt.Wal;

namespace Redoubt.Compute.Postgres;

/// <summary>Reads from storage what a data directory needs at the present VDL: from one complete segment of each group.</summary>
public sealed class BootstrapReader(VolumeWriter writer, PageFetcher fetcher, ILogger logger)
{
    private const int PagesAtOnce = 32;
    private static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(60);

    /// <summary>Asks all groups at once and waits until each has answered.</summary>
    public async Task<BootstrapData> ReadAsync(CancellationToken cancellationToken)
    {
        var answers = await Task.WhenAll(writer.Streams.Select((_, g) => ReadGroupAsync(g, cancellationToken))).ConfigureAwait(false);
        var data = new BootstrapData();
        foreach (var chunks in answers)
        {
            data.Add(chunks);
        }

        return data;
    }

    /// <summary>All pages of every init fork.</summary>
    /// <remarks>Blocks.</remarks>
    public IReadOnlyDictionary<RelFileLocator, byte[]> ReadInitForks(BootstrapData data)
    {
        var pages = new Dictionary<RelFileLocator, byte[]>();
        foreach (var ((rel, fork), blocks) in data.Forks)
        {
            if (fork != Fork.Init)
            {
                continue;
            }

            var contents = new byte[blocks * (long)PageRedo.PageSize];
            for (uint block = 0; block < blocks; block += PagesAtOnce)
            {
                int count = (int)Math.Min(PagesAtOnce, blocks - block);
                fetcher.Get(new PageKey(rel, Fork.Init, block), count, contents.AsMemory((int)block * PageRedo.PageSize, count * PageRedo.PageSize));
            }

            pages[rel] = contents;
        }

        return pages;
    }

    private async Task<List<BootstrapChunk>> ReadGroupAsync(int group, CancellationToken cancellationToken)
    {
        while (true)
        {
            var change = writer.WhenStreamsChange;
            var (readPoint, completeAt) = writer.ReadPoint(group);
            foreach (var stream in writer.Streams[group])
            {
                if (!stream.IsConnected || writer.Scl(group, stream.Segment.Copy) < completeAt)
                {
                    continue;
                }

                try
                {
                    return await ReadFromAsync(stream.Segment, readPoint, completeAt, cancellationToken).ConfigureAwait(false);
                }
                catch (Exception e) when (e is RpcException or OperationCanceledException)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    logger.BootstrapRetry(stream.Segment.Name, e is RpcException rpc ? rpc.Status.Detail : e.Message);
                }
            }

            await Task.WhenAny(change, Task.Delay(TimeSpan.FromMilliseconds(100), cancellationToken)).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private async Task<List<BootstrapChunk>> ReadFromAsync(GrpcSegment segment, ulong readPoint, ulong completeAt, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(AttemptTimeout);
        var request = new GetBootstrapRequest { Segment = segment.Id, Epoch = writer.Volume.Epoch, ReadPoint = readPoint, CompleteAt = completeAt };
        using var call = segment.Process.Client.GetBootstrap(request, cancellationToken: timeout.Token);
        var chunks = new List<BootstrapChunk>();
        await foreach (var chunk in call.ResponseStream.ReadAllAsync(timeout.Token).ConfigureAwait(false))
        {
            chunks.Add(chunk);
        }

        return chunks;
    }
}
