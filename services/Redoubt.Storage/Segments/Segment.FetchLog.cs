using Google.Protobuf;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Chain;
using Redoubt.Wal;

namespace Redoubt.Storage.Segments;

/// <content>Log for peers and for recovery.</content>
internal sealed partial class Segment
{
    private const int LogChunkBytes = 256 << 10;

    /// <summary>Valid entries whose chain predecessor ends at or after <c>from</c>, those beyond gaps too; whole frames as they are stored where
    /// all of a frame counts, else framed anew. The first chunk carries the truncations.</summary>
    public async IAsyncEnumerable<LogChunk> FetchLogAsync(
        FetchLogRequest request, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        await Task.Yield();
        List<LogRun> runs = [];
        LogChunk chunk;
        ulong to = request.To == 0 ? ulong.MaxValue : request.To;
        lock (_gate)
        {
            chunk = new LogChunk { Epoch = _core.Epochs.Epoch };
            chunk.Truncations.AddRange(_core.Epochs.History.Points.Select(
                p => new Truncation { Epoch = p.Epoch, Above = p.Above, GroupEnd = p.GroupEnd }));
            for (int i = _core.Chain.IndexAfter(request.From); i < _core.Chain.Runs.Count && _core.Chain.Runs[i].From < to; i++)
            {
                runs.Add(_core.Chain.Runs[i]);
            }

            runs.AddRange(_core.Chain.Waiting.Where(r => r.To > request.From && r.From < to));
        }

        var pending = new MemoryStream();
        var writer = new LogFrameWriter();
        foreach (var run in runs)
        {
            cancellation.ThrowIfCancellationRequested();
            if (Log.Read(run.At) is not { } bytes)
            {
                FoundBadFrame(run);
                break;
            }

            var frame = Reframe(writer, bytes, run, request.From, to);
            if (frame.Length == 0)
            {
                continue;
            }

            pending.Write(frame.Span);
            if (pending.Length >= LogChunkBytes)
            {
                chunk.Frame = ByteString.CopyFrom(pending.GetBuffer().AsSpan(0, (int)pending.Length));
                pending.SetLength(0);
                yield return chunk;
                chunk = new LogChunk { Epoch = chunk.Epoch };
            }
        }

        chunk.Frame = ByteString.CopyFrom(pending.GetBuffer().AsSpan(0, (int)pending.Length));
        yield return chunk;
    }

    private static ReadOnlyMemory<byte> Reframe(LogFrameWriter writer, byte[] bytes, LogRun run, ulong from, ulong to)
    {
        var frame = LogFrame.Parse(bytes);
        if (frame.PrevEnd.Value >= from && frame.PrevEnd.Value >= run.From && frame.End.Value <= run.To && frame.End.Value <= to)
        {
            return bytes;
        }

        bool begun = false;
        foreach (var entry in frame.Entries)
        {
            if (entry.PrevEnd.Value < from || entry.PrevEnd.Value < run.From || entry.End.Value > run.To || entry.PrevEnd.Value >= to)
            {
                continue;
            }

            if (!begun)
            {
                writer.Begin(frame.Epoch, entry.PrevEnd);
                begun = true;
            }

            writer.Add(entry.Kind, entry.Start, entry.End, entry.GroupMask, entry.Body);
        }

        return begun ? writer.Finish() : ReadOnlyMemory<byte>.Empty;
    }
}
