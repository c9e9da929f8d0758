using System.Diagnostics;
using Redoubt.Storage.Chain;

namespace Redoubt.Storage.LogFiles;

internal sealed partial class SegmentLog
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(500);

    private readonly Lock _appendLock = new();
    private readonly ManualResetEventSlim _stopping = new();
    private readonly DirectWriter _writer = new();

    /// <summary>Makes frames durable and tells the sink. Tries again, for ever, while the disk is full or fails.</summary>
    /// <exception cref="ObjectDisposedException">The log is closed; the frames may or may not be durable.</exception>
    public void Append(IReadOnlyList<PendingAppend> frames)
    {
        lock (_appendLock)
        {
            bool failed = false;
            while (true)
            {
                ObjectDisposedException.ThrowIf(_stopping.IsSet, this);
                try
                {
                    Write(frames);
                    break;
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    failed = true;
                    _sink.Failing(e);

                    // After a failed write or fsync nobody knows what the file holds: it is not written again.
                    Abandon();
                    _stopping.Wait(RetryAfter);
                }
            }

            if (failed)
            {
                _sink.Failing(null);
            }

            _sink.Durable(frames);
        }
    }

    public void Dispose()
    {
        _stopping.Set();
        lock (_appendLock)
        {
            try
            {
                _next?.Wait();
            }
            catch (AggregateException)
            {
                // A file that could not be prepared; it is made again when needed.
            }

            _writer.Dispose();
            foreach (var file in _files.Values.Concat(_retired))
            {
                file.Dispose();
            }

            if (_next is { IsCompletedSuccessfully: true })
            {
                _next.Result.Dispose();
            }
        }
    }

    private void Write(IReadOnlyList<PendingAppend> batch)
    {
        int next = 0;
        while (next < batch.Count)
        {
            if (PretendFull)
            {
                throw new IOException("No space left on device (drill)");
            }

            int footprint = LogEnvelope.Footprint(batch[next].Bytes.Length);
            if (_current is null || footprint > _current.Size - _current.End)
            {
                Rotate(footprint);
            }

            var file = _current!;
            int begin = file.End, length = 0, first = next;
            for (int i = next; i < batch.Count && begin + length + (footprint = LogEnvelope.Footprint(batch[i].Bytes.Length)) <= file.Size; i++)
            {
                length += footprint;
            }

            var staging = _writer.Reserve(file, length);
            for (int filled = 0; filled < length; next++)
            {
                var frame = batch[next];
                var place = staging.Slice(filled, LogEnvelope.Footprint(frame.Bytes.Length));
                new LogEnvelope(frame.Bytes.Length, file.Sequence, begin + filled, file.SyncedTo).Write(place);
                frame.Bytes.Span.CopyTo(place[LogEnvelope.Length..]);
                place[(LogEnvelope.Length + frame.Bytes.Length)..].Clear();
                frame.At = new Chain.LogAddress(file.Sequence, begin + filled + LogEnvelope.Length, frame.Bytes.Length);
                filled += place.Length;
            }

            using var activity = StorageTracing.Source.StartActivity("storage.append");
            activity?.SetTag("bytes", length);
            file.RecentBase = _recent.Add(staging) - begin;
            long began = Stopwatch.GetTimestamp();
            using (StorageTracing.Source.StartActivity("storage.fsync"))
            {
                _writer.Write(file, length);
            }

            _metrics.Synced(Stopwatch.GetElapsedTime(began), length);
            file.End = file.SyncedTo = begin + length;
            for (; first < next; first++)
            {
                var frame = batch[first];
                file.Add(new IndexedFrame(frame.Epoch, frame.From, ChainEnd.Of(frame.Marks), frame.At.Offset, frame.At.Length));
            }
        }
    }

    private void Abandon()
    {
        if (_current is { } file && file.End < file.Size && !PretendFull)
        {
            file.End = file.Size;
            file.IsSuspect = true;
        }
    }
}
