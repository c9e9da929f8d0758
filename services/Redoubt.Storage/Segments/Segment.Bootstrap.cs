using System.Buffers.Binary;
using System.Text;
using Google.Protobuf;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Chain;
using Redoubt.Storage.Pages;
using Redoubt.Wal;

namespace Redoubt.Storage.Segments;

/// <content>What a data directory needs beside pages, at an LSN.</content>
internal sealed partial class Segment
{
    private const int ForksPerChunk = 4096;
    private const int BytesPerChunk = 1 << 20;

    /// <summary>Everything small at a read point; sizes of this group's part of each fork.</summary>
    /// <exception cref="SegmentNotReadyException">Not complete, not applied, or the counters at exactly this LSN can no longer be made.</exception>
    public async Task<List<BootstrapChunk>> BootstrapAsync(GetBootstrapRequest request, CancellationToken cancellation)
    {
        await BeginReadAsync(request.Epoch, request.ReadPoint, request.CompleteAt, cancellation).ConfigureAwait(false);
        try
        {
            return Bootstrap(request.ReadPoint);
        }
        finally
        {
            Unpin(request.ReadPoint);
        }
    }

    private List<BootstrapChunk> Bootstrap(ulong at)
    {
        var store = AcquireStore();
        try
        {
            var chunks = new List<BootstrapChunk>();
            var chunk = new BootstrapChunk();
            if (ControlAt(store, at) is { } control)
            {
                chunk.Control = ByteString.CopyFrom(control);
            }

            AddSmall(store, at, chunk);
            int bytes = 0;
            store.ForEachNewest(StoreKeys.ForkSize, [], at, (name, value) =>
            {
                if (PageStore.DecodeSize(value) is not { } blocks)
                {
                    return;
                }

                var (rel, fork, _) = StoreKeys.ReadFork([StoreKeys.ForkSize, .. name, .. new byte[8]]);
                chunk.Forks.Add(new ForkSize { Spc = rel.SpcOid, Db = rel.DbOid, Rel = rel.RelNumber, Fork = fork, Blocks = blocks });
                if (chunk.Forks.Count == ForksPerChunk)
                {
                    Next();
                }
            });
            store.ForEachNewest(StoreKeys.SmallFile, [], at, (name, value) =>
            {
                if (value[0] == 1)
                {
                    chunk.Files.Add(new SmallFile
                    {
                        Path = Encoding.UTF8.GetString(name.AsSpan(..^1)),
                        Contents = ByteString.CopyFrom(value.AsSpan(1)),
                    });
                    bytes += value.Length;
                    if (bytes > BytesPerChunk)
                    {
                        Next();
                    }
                }
            });
            store.ForEachNewest(StoreKeys.Prepared, [], at, (name, value) =>
            {
                if (value[0] == 1)
                {
                    chunk.Prepared.Add(new PreparedTransaction
                    {
                        FullXid = BinaryPrimitives.ReadUInt64BigEndian(name),
                        State = ByteString.CopyFrom(value.AsSpan(1)),
                    });
                    bytes += value.Length;
                    if (bytes > BytesPerChunk)
                    {
                        Next();
                    }
                }
            });
            chunks.Add(chunk);
            return chunks;

            void Next()
            {
                chunks.Add(chunk);
                chunk = new BootstrapChunk();
                bytes = 0;
            }
        }
        finally
        {
            store.Release();
        }
    }

    private static void AddSmall(PageStore store, ulong at, BootstrapChunk chunk)
    {
        store.ForEachNewest(StoreKeys.Database, [], at, (name, value) =>
        {
            if (value[0] == 1)
            {
                chunk.Databases.Add(new Database
                {
                    Oid = BinaryPrimitives.ReadUInt32BigEndian(name),
                    Spc = BinaryPrimitives.ReadUInt32BigEndian(name.AsSpan(4)),
                });
            }
        });
        store.ForEachNewest(StoreKeys.Tablespace, [], at, (name, value) =>
        {
            if (value[0] == 1)
            {
                chunk.Tablespaces.Add(new Tablespace
                {
                    Oid = BinaryPrimitives.ReadUInt32BigEndian(name.AsSpan(4)),
                    Path = Encoding.UTF8.GetString(value.AsSpan(1)),
                });
            }
        });
        store.ForEachNewest(StoreKeys.Origin, [], at, (name, value) =>
        {
            if (value[0] == 1)
            {
                chunk.Origins.Add(new OriginProgress
                {
                    Origin = BinaryPrimitives.ReadUInt16BigEndian(name),
                    RemoteLsn = BinaryPrimitives.ReadUInt64LittleEndian(value.AsSpan(1)),
                    LocalLsn = BinaryPrimitives.ReadUInt64LittleEndian(value.AsSpan(9)),
                });
            }
        });
    }

    /// <summary>The counters at exactly an LSN: the stored version before it, and the log from there.</summary>
    private byte[]? ControlAt(PageStore store, ulong readPoint)
    {
        if (store.Newest(StoreKeys.Control, [], readPoint, out ulong version) is not { } stored)
        {
            return null;
        }

        List<LogRun> runs = [];
        lock (_gate)
        {
            for (int i = _core.Chain.IndexAfter(version); i < _core.Chain.Runs.Count && _core.Chain.Runs[i].From < readPoint; i++)
            {
                runs.Add(_core.Chain.Runs[i]);
            }

            if (_core.Chain.Base > version && _core.Chain.Base < readPoint && runs.Count > 0)
            {
                throw new SegmentNotReadyException(NotReadyReason.NotApplied,
                    $"the counters at {new Lsn(readPoint)} need log from {new Lsn(version)}, which begins at {new Lsn(_core.Chain.Base)}");
            }
        }

        if (runs.Count == 0)
        {
            return stored;
        }

        var control = ControlState.Decode(stored);
        var records = new RecordAssembler();
        foreach (var run in runs)
        {
            byte[] frame = Log.Read(run.At) ?? throw new SegmentNotReadyException(NotReadyReason.Incomplete,
                $"the log at {new Lsn(run.From)} is damaged and being repaired");
            foreach (var entry in LogFrame.Parse(frame).Entries)
            {
                ulong end = entry.End.Value;
                if (end > version && end > run.From && end <= readPoint && end <= run.To && entry.Kind != LogEntryKind.Import
                    && records.TryTake(entry, out var record))
                {
                    control.Apply(_options.PgVersion, record);
                }
            }
        }

        return control.Encode();
    }
}
