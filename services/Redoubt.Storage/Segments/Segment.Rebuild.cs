using System.Buffers.Binary;
using Google.Protobuf;
using Grpc.Core;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Pages;
using Redoubt.Storage.Peers;
using Redoubt.Storage.Rocks;
using Redoubt.Wal;

namespace Redoubt.Storage.Segments;

/// <content>Bulk copy of the page store, for a copy that its peers' logs no longer reach. Served and received here.</content>
/// <remarks>Rows of one chunk: u16 key length, u32 value length, key, value. A token is u64 LSN of the copy, u32 index of the source, last key.
/// Resuming after the source moved on is safe: of the changes of pages only those up to the copy's LSN are sent, the rest comes with the log. Images
/// above it are sent, as what was before them may be gone: the changes up to the last of them are applied each in a row of its own.</remarks>
internal sealed partial class Segment
{
    private const int ChunkBytes = 512 << 10;
    private const string RebuildMark = "rebuilding";
    private volatile bool _storeDamaged;

    /// <summary>The store's rows as of one LSN.</summary>
    public async IAsyncEnumerable<PageChunk> FetchPagesAsync(
        FetchPagesRequest request, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        await Task.Yield();
        byte[] after = request.After.Length > 12 ? request.After.Span[12..].ToArray() : [];
        ulong at;
        var store = AcquireStore();
        try
        {
            at = request.After.Length >= 12 ? BinaryPrimitives.ReadUInt64LittleEndian(request.After.Span) : store.ReadApplied();
            using var scan = store.NewIterator(scan: true);
            bool last = false;
            while (!last)
            {
                cancellation.ThrowIfCancellationRequested();
                yield return NextChunk(scan, at, ref after, out last);
            }
        }
        finally
        {
            store.Release();
        }
    }

    private PageChunk NextChunk(Iterator scan, ulong at, ref byte[] after, out bool last)
    {
        var rows = new MemoryStream(ChunkBytes + (16 << 10));
        Span<byte> lengths = stackalloc byte[6];
        var cut = new ChangeRun();
        if (after.Length == 0)
        {
            scan.SeekToFirst();
        }
        else
        {
            byte[] next = [.. after, 0];
            scan.Seek(next);
        }

        for (; scan.Valid() && rows.Length < ChunkBytes; scan.Next())
        {
            var key = scan.GetKeySpan();
            after = key.ToArray();
            if (key[0] == StoreKeys.Meta)
            {
                continue;
            }

            var value = scan.GetValueSpan();
            if (key[0] == StoreKeys.Page && RowValue.Peek(StoreKeys.PageLsn(key), value) is { Kind: not RowKind.Image } run && run.Last > at)
            {
                ulong first = StoreKeys.PageLsn(key);
                if (first > at)
                {
                    continue;
                }

                value = cut.Cut(PageKey.Read(key[1..]), first, value, at);
            }

            BinaryPrimitives.WriteUInt16LittleEndian(lengths, (ushort)key.Length);
            BinaryPrimitives.WriteInt32LittleEndian(lengths[2..], value.Length);
            rows.Write(lengths);
            rows.Write(key);
            rows.Write(value);
        }

        last = !scan.Valid();
        if (last)
        {
            PageStore.Check(scan);
        }

        byte[] token = new byte[12 + after.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(token, at);
        BinaryPrimitives.WriteInt32LittleEndian(token.AsSpan(8), _options.Index);
        after.CopyTo(token.AsSpan(12));
        var bytes = rows.GetBuffer().AsMemory(0, (int)rows.Length);
        return new PageChunk
        {
            At = at,
            Entries = UnsafeByteOperations.UnsafeWrap(bytes),
            Crc32C = Wal.Crc32C.Compute(bytes.Span),
            Token = UnsafeByteOperations.UnsafeWrap(token),
            Last = last,
        };
    }

    private bool IsRebuild(string folder) => Directory.Exists(folder) && File.Exists(Path.Combine(_folder, RebuildMark));

    private async Task RebuildAsync(Peer source, CancellationToken cancellation)
    {
        lock (_gate)
        {
            _repairing = $"rebuilding from {source.Name}";
        }

        _logger.RebuildBegun(Group, source.Name, new Lsn(Scl));
        string folder = Path.Combine(_folder, $"pages-{_file.StoreGeneration + 1}");
        File.WriteAllText(Path.Combine(_folder, RebuildMark), source.Name);
        try
        {
            var (at, ahead, bytes) = await CopyRowsAsync(source, folder, cancellation).ConfigureAwait(false);
            lock (_applyGate)
            {
                lock (_gate)
                {
                    ReplaceStore(rebuilt: true);
                    _core.Chain.Rebase(at, 0);

                    // Versions older than the copy may have been collected where it came from.
                    Persist(_file with
                    {
                        BaseEnd = _core.Chain.Base,
                        BaseStart = _core.Chain.BaseStart,
                        Horizon = Math.Max(_file.Horizon, Math.Max(at, ahead)),
                    });
                    _storeDamaged = false;
                    _repairing = null;
                    WakeSessions();
                }
            }

            File.Delete(Path.Combine(_folder, RebuildMark));
            _metrics.Repaired();
            _logger.Rebuilt(Group, new Lsn(at), source.Name, bytes);
            _kick();
        }
        catch (Exception e) when (e is RpcException or StoreCorruptException)
        {
            lock (_gate)
            {
                _repairing = $"rebuilding from {source.Name} is interrupted and goes on soon: {(e is RpcException rpc ? rpc.Status.Detail : e.Message)}";
            }

            throw;
        }
    }

    private async Task<(ulong At, ulong Ahead, long Bytes)> CopyRowsAsync(Peer source, string folder, CancellationToken cancellation)
    {
        using var store = PageStore.Open(folder, _cache, WriteBufferBytes);
        byte[] token = store.Get(StoreKeys.Rebuild) ?? [];
        if (token.Length < 12 || BinaryPrimitives.ReadInt32LittleEndian(token.AsSpan(8)) != source.Index)
        {
            token = [];
        }

        ulong at = 0, ahead = store.GetLsn(StoreKeys.ImagesAhead);
        long bytes = 0;
        byte[] number = new byte[8];
        using var batch = new WriteBatch();
        using var call = source.Client.FetchPages(
            new FetchPagesRequest { Segment = _peers.Id(Group), Epoch = Epoch, After = ByteString.CopyFrom(token) }, cancellationToken: cancellation);
        bool complete = false;
        await foreach (var chunk in call.ResponseStream.ReadAllAsync(cancellation).ConfigureAwait(false))
        {
            if (Wal.Crc32C.Compute(chunk.Entries.Span) != chunk.Crc32C)
            {
                throw new StoreCorruptException($"{source.Name} sent a damaged chunk of its page store");
            }

            at = chunk.At;
            ahead = Math.Max(ahead, AddRows(batch, chunk.Entries.Span));
            BinaryPrimitives.WriteUInt64LittleEndian(number, ahead);
            batch.Put(StoreKeys.ImagesAhead, number);
            batch.Put(StoreKeys.Rebuild, chunk.Token.ToByteArray());
            store.Write(batch);
            batch.Clear();
            bytes += chunk.Entries.Length;
            _metrics.Gossiped(chunk.Entries.Length);
            complete |= chunk.Last;
            if (_options.RebuildBytesPerSecond > 0)
            {
                await Task.Delay(TimeSpan.FromSeconds((double)chunk.Entries.Length / _options.RebuildBytesPerSecond), cancellation).ConfigureAwait(false);
            }
        }

        if (!complete)
        {
            throw new StoreCorruptException($"{source.Name} ended the copy of its page store early");
        }

        BinaryPrimitives.WriteUInt64LittleEndian(number, at);
        batch.Put(StoreKeys.Applied, number);
        batch.Delete(StoreKeys.Rebuild);
        store.Write(batch);
        store.Flush();
        return (at, ahead, bytes);
    }

    /// <returns>The newest image's LSN, 0 for none.</returns>
    private static ulong AddRows(WriteBatch batch, ReadOnlySpan<byte> rows)
    {
        ulong image = 0;
        while (rows.Length > 0)
        {
            if (rows.Length < 6)
            {
                throw new StoreCorruptException("a chunk of store rows ends in the middle of one");
            }

            int key = BinaryPrimitives.ReadUInt16LittleEndian(rows);
            int value = BinaryPrimitives.ReadInt32LittleEndian(rows[2..]);
            if (value < 0 || key == 0 || rows.Length - 6 < (long)key + value)
            {
                throw new StoreCorruptException("a chunk of store rows ends in the middle of one");
            }

            var name = rows.Slice(6, key);
            batch.Put(name, rows.Slice(6 + key, value));
            if (key == StoreKeys.PageLength && name[0] == StoreKeys.Page && value > 0 && (RowKind)rows[6 + key] == RowKind.Image)
            {
                image = Math.Max(image, StoreKeys.PageLsn(name));
            }

            rows = rows[(6 + key + value)..];
        }

        return image;
    }
}
