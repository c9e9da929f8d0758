using Grpc.Core;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Chain;
using Redoubt.Storage.LogFiles;
using Redoubt.Storage.Pages;
using Redoubt.Storage.Peers;
using Redoubt.Wal;

namespace Redoubt.Storage.Segments;

/// <content>Damage: frames of the log and rows of pages that do not read back, made good from peers.</content>
internal sealed partial class Segment
{
    private readonly List<LogDamage> _damage = [];

    /// <summary>A durable frame does not read back: it no longer counts, and its entries are asked of peers.</summary>
    private void FoundBadFrame(LogRun run)
    {
        lock (_gate)
        {
            if (!_core.Chain.Damage(run.At))
            {
                return;
            }

            ReportDamage(run.At);
        }

        WakeGossip();
    }

    private void ReportDamage(LogAddress frame)
    {
        Log.Distrust(frame.File);
        ReportDamage(new LogDamage(Log.PathOf(frame.File), frame.Offset - LogEnvelope.Length, LogEnvelope.Footprint(frame.Length)));
    }

    private void ReportDamage(LogDamage damage)
    {
        _damage.Add(damage);
        _metrics.Corrupt();
        _logger.CorruptionFound(Group, damage.Path, $"{damage.Length} bytes at offset {damage.Offset}");
    }

    private void FinishRepairs()
    {
        LogDamage[] repaired;
        lock (_gate)
        {
            if (_damage.Count == 0 || _core.IsBehind)
            {
                return;
            }

            repaired = [.. _damage];
            _damage.Clear();
        }

        foreach (var damage in repaired)
        {
            Log.Fill(damage);
            _metrics.Repaired();
            _logger.CorruptionRepaired(Group, $"{damage.Path}, {damage.Length} bytes at offset {damage.Offset}; scl {new Lsn(Scl)}");
        }
    }

    /// <summary>A page that cannot be made from what is stored here, from a peer that can; stored again as an image, if it is one row that is bad.</summary>
    /// <returns>False when the peer has no version of it: a zero page.</returns>
    private async Task<bool> RepairPageAsync(
        PageKey key, ReadAt at, bool badRow, string error, Memory<byte> page, CancellationToken cancellation)
    {
        _metrics.Corrupt();
        _logger.CorruptionFound(Group, "page store", error);
        foreach (var peer in _peers.All)
        {
            if (await AskPageAsync(peer, key, at, page, cancellation).ConfigureAwait(false) is not { } found)
            {
                continue;
            }

            if (badRow)
            {
                await RestorePageAsync(peer, key, at, cancellation).ConfigureAwait(false);
            }
            else
            {
                // A whole block of the store is unreadable: nothing can be put beside it.
                _storeDamaged = true;
                WakeGossip();
            }

            return found;
        }

        throw new StoreCorruptException(error + "; no peer could serve it");
    }

    /// <summary>Stores a peer's image of a page at the applied LSN, where no run of changes can be in its middle.</summary>
    private async Task RestorePageAsync(Peer peer, PageKey key, ReadAt at, CancellationToken cancellation)
    {
        ulong applied;
        lock (_gate)
        {
            applied = _apply.Applied;
        }

        var page = new byte[PageRedo.PageSize];
        if (await AskPageAsync(peer, key, at with { ReadPoint = applied, CompleteAt = applied }, page, cancellation).ConfigureAwait(false) == true)
        {
            StoreImage(key, applied, page);
            _metrics.Repaired();
            _logger.CorruptionRepaired(Group, $"{key} at {new Lsn(applied)} from {peer.Name}");
        }
    }

    /// <returns>Whether there is a version of the page; null when the peer does not say.</returns>
    private async Task<bool?> AskPageAsync(Peer peer, PageKey key, ReadAt at, Memory<byte> page, CancellationToken cancellation)
    {
        var bytes = new byte[PageKey.EncodedLength];
        key.Write(bytes);
        var ask = new GetPagesRequest
        {
            Segment = _peers.Id(Group),
            Epoch = at.Epoch,
            ReadPoint = at.ReadPoint,
            CompleteAt = at.CompleteAt,
            Keys = Google.Protobuf.ByteString.CopyFrom(bytes),
        };
        try
        {
            var reply = await peer.Client.GetPagesAsync(ask, deadline: DateTime.UtcNow.AddSeconds(5), cancellationToken: cancellation)
                .ConfigureAwait(false);
            if (reply.Pages.Length != PageRedo.PageSize || reply.Found.Length != 1)
            {
                return null;
            }

            reply.Pages.Span.CopyTo(page.Span);
            return reply.Found[0] == 1;
        }
        catch (RpcException e)
        {
            _logger.PeerFailed(Group, peer.Name, e.Status.Detail);
            return null;
        }
    }

    private void StoreImage(in PageKey key, ulong version, ReadOnlySpan<byte> page)
    {
        Span<byte> rowKey = stackalloc byte[StoreKeys.PageLength];
        StoreKeys.WritePage(rowKey, key, version, StoreKeys.AfterAll);
        var store = AcquireStore();
        try
        {
            store.Put(rowKey, RowValue.OfImage(page));
        }
        finally
        {
            store.Release();
        }
    }
}
