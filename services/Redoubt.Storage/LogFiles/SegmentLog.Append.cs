using System.Diagnostics;

namespace Redoubt.Storage.LogFiles;

internal sealed partial class SegmentLog
{
    private const int MaxQueuedBytes = 8 << 20;
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(500);

    private readonly object _queueGate = new();
    private readonly Queue<(TaskCompletionSource Ready, int Bytes)> _blocked = new();
    private List<PendingAppend> _queue = [];
    private int _queuedBytes;
    private bool _stopping;
    private Thread? _thread;
    private byte[] _staging = GC.AllocateUninitializedArray<byte>(256 << 10);

    /// <summary>Starts the append thread.</summary>
    public void Start(string name)
    {
        _thread = new Thread(Run) { Name = name, IsBackground = true };
        _thread.Start();
    }

    /// <summary>Queues a frame for the append thread; waits while too many bytes are queued.</summary>
    /// <exception cref="ObjectDisposedException">The log is closed.</exception>
    public ValueTask EnqueueAsync(PendingAppend frame, CancellationToken cancellation)
    {
        lock (_queueGate)
        {
            ObjectDisposedException.ThrowIf(_stopping, this);
            if (_queuedBytes < MaxQueuedBytes && _blocked.Count == 0)
            {
                Add(frame);
                return ValueTask.CompletedTask;
            }

            var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _blocked.Enqueue((ready, frame.Bytes.Length));
            return new ValueTask(WaitAndAddAsync(ready, frame, cancellation));
        }
    }

    public void Dispose()
    {
        lock (_queueGate)
        {
            _stopping = true;
            Monitor.PulseAll(_queueGate);
            while (_blocked.TryDequeue(out var waiter))
            {
                waiter.Ready.TrySetException(new ObjectDisposedException(nameof(SegmentLog)));
            }
        }

        _thread?.Join();
        try
        {
            _next?.Wait();
        }
        catch (AggregateException)
        {
            // A file that could not be prepared; it is made again when needed.
        }

        foreach (var file in _files.Values.Concat(_retired))
        {
            file.Dispose();
        }

        if (_next is { IsCompletedSuccessfully: true })
        {
            _next.Result.Dispose();
        }
    }

    private async Task WaitAndAddAsync(TaskCompletionSource ready, PendingAppend frame, CancellationToken cancellation)
    {
        await ready.Task.WaitAsync(cancellation);
        lock (_queueGate)
        {
            ObjectDisposedException.ThrowIf(_stopping, this);
            Add(frame);
        }
    }

    private void Add(PendingAppend frame)
    {
        _queue.Add(frame);
        _queuedBytes += frame.Bytes.Length;
        if (_queue.Count == 1)
        {
            Monitor.Pulse(_queueGate);
        }
    }

    private void Run()
    {
        var batch = new List<PendingAppend>();
        while (Take(ref batch))
        {
            bool failed = false;
            while (true)
            {
                try
                {
                    Write(batch);
                    break;
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    failed = true;
                    _sink.Failing(e);
                    // After a failed write or fsync nobody knows what the file holds: it is not written again.
                    Abandon();
                    lock (_queueGate)
                    {
                        if (_stopping || (Monitor.Wait(_queueGate, RetryAfter) && _stopping))
                        {
                            return;
                        }
                    }
                }
            }

            if (failed)
            {
                _sink.Failing(null);
            }

            _sink.Durable(batch);
            batch.Clear();
        }
    }

    private bool Take(ref List<PendingAppend> batch)
    {
        lock (_queueGate)
        {
            while (_queue.Count == 0)
            {
                if (_stopping)
                {
                    return false;
                }

                Monitor.Wait(_queueGate);
            }

            (batch, _queue) = (_queue, batch);
            _queuedBytes = 0;
            while (_blocked.Count > 0 && _queuedBytes < MaxQueuedBytes)
            {
                var (ready, bytes) = _blocked.Dequeue();
                _queuedBytes += bytes;
                ready.TrySetResult();
            }

            // Those just let in count when they arrive.
            _queuedBytes = 0;
            return true;
        }
    }

    private void Write(List<PendingAppend> batch)
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
            int begin = file.End, length = 0;
            while (next < batch.Count)
            {
                var frame = batch[next];
                footprint = LogEnvelope.Footprint(frame.Bytes.Length);
                if (begin + length + footprint > file.Size)
                {
                    break;
                }

                if (_staging.Length < length + footprint)
                {
                    Array.Resize(ref _staging, Math.Max(_staging.Length * 2, length + footprint));
                }

                var place = _staging.AsSpan(length, footprint);
                new LogEnvelope(frame.Bytes.Length, file.Sequence, begin + length, file.SyncedTo).Write(place);
                frame.Bytes.Span.CopyTo(place[LogEnvelope.Length..]);
                place[(LogEnvelope.Length + frame.Bytes.Length)..].Clear();
                frame.At = new Chain.LogAddress(file.Sequence, begin + length + LogEnvelope.Length, frame.Bytes.Length);
                file.MaxEnd = Math.Max(file.MaxEnd, frame.Marks[^1].End);
                length += footprint;
                next++;
            }

            using var activity = StorageTracing.Source.StartActivity("storage.append");
            activity?.SetTag("bytes", length);
            RandomAccess.Write(file.Handle, _staging.AsSpan(0, length), begin);
            long began = Stopwatch.GetTimestamp();
            using (StorageTracing.Source.StartActivity("storage.fsync"))
            {
                NativeIo.DataSync(file.Handle);
            }

            _metrics.Synced(Stopwatch.GetElapsedTime(began), length);
            file.End = file.SyncedTo = begin + length;
        }

        if (_staging.Length > 4 << 20)
        {
            _staging = GC.AllocateUninitializedArray<byte>(256 << 10);
        }
    }

    private void Abandon()
    {
        if (_current is { } file && file.End < file.Size && !PretendFull)
        {
            file.End = file.Size;
        }
    }
}
