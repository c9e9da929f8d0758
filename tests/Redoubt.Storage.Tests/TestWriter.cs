using Google.Protobuf;
using Grpc.Core;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Wal;

namespace Redoubt.Storage.Tests;

/// <summary>A writer over the real contract: opens an epoch, truncates, appends frames, remembers what was acknowledged.</summary>
internal sealed class TestWriter(TestVolume volume, ulong epoch, int group = 0) : IAsyncDisposable
{
    private readonly Dictionary<int, AsyncDuplexStreamingCall<AppendRequest, AppendReply>> _streams = [];
    private readonly Dictionary<int, Task> _readers = [];
    private readonly Dictionary<int, AppendReply> _replies = [];
    private readonly Lock _gate = new();
    private readonly LogFrameWriter _frames = new();

    public ulong Epoch => epoch;

    /// <summary>End of the last entry made.</summary>
    public ulong End { get; set; }

    public ulong Vdl { get; set; }

    /// <summary>The latest reply of a segment.</summary>
    public AppendReply Reply(int index)
    {
        lock (_gate)
        {
            return _replies.TryGetValue(index, out var reply) ? reply : new AppendReply();
        }
    }

    public ulong Acked(int index) => Reply(index) is { } r && r.Epoch == epoch ? r.Scl : 0;

    /// <summary>Grants, truncates and opens streams on some segments.</summary>
    public async Task OpenAsync(IEnumerable<int> indexes, ulong above = 0, ulong groupEnd = 0, params Truncation[] history)
    {
        int[] all = [.. indexes];
        await Task.WhenAll(all.Select(async i => await volume.Client(i).OpenEpochAsync(volume.EpochRequest(epoch, group))));
        foreach (int i in all)
        {
            await TruncateAsync(i, above, groupEnd, history);
            await ConnectAsync(i);
        }

        End = groupEnd;
    }

    /// <summary>Grants and truncates, without a stream.</summary>
    public async Task GrantAsync(int index)
    {
        await volume.Client(index).OpenEpochAsync(volume.EpochRequest(epoch, group));
        await TruncateAsync(index, 0, 0);
    }

    public async Task<SegmentState> TruncateAsync(int index, ulong above, ulong groupEnd, params Truncation[] history)
    {
        var request = new TruncateRequest { Segment = volume.Id(group), Epoch = epoch, Above = above, GroupEnd = groupEnd };
        request.History.AddRange(history);
        return await volume.Client(index).TruncateAsync(request);
    }

    public async Task ConnectAsync(int index)
    {
        var call = volume.Client(index).Append();
        await call.RequestStream.WriteAsync(new AppendRequest { Open = new AppendOpen { Segment = volume.Id(group), Epoch = epoch } });
        _streams[index] = call;
        _readers[index] = Task.Run(async () =>
        {
            try
            {
                await foreach (var reply in call.ResponseStream.ReadAllAsync())
                {
                    lock (_gate)
                    {
                        _replies[index] = reply;
                    }
                }
            }
            catch (Exception e) when (e is RpcException or ObjectDisposedException)
            {
                // The stream ended; the test looks at replies.
            }
        });
    }

    /// <summary>Completes when the segment ended the stream.</summary>
    public Task Ended(int index) => _readers[index].WaitAsync(TimeSpan.FromSeconds(20));

    /// <summary>A frame of one entry that follows the last one made.</summary>
    public byte[] Frame(ReadOnlySpan<byte> body, ulong length = 8, LogEntryKind kind = LogEntryKind.WalRecord)
    {
        _frames.Begin(epoch, new Lsn(End));
        ulong start = Math.Max(End, kind == LogEntryKind.WalRecord && End < 0x1000000 ? 0x1000000 : End);
        _frames.Add(kind, new Lsn(start), new Lsn(start + length), 1UL << group, body);
        End = start + length;
        return _frames.Finish().ToArray();
    }

    /// <summary>Frames of one record in parts, one part each, that follows the last one made; <see cref="End"/> is the record's end after the last.</summary>
    public IEnumerable<byte[]> FramesOfParts(byte[] record, int partLength = LogFrame.MaxBodyLength)
    {
        ulong start = Math.Max(End, 0x1000000);
        for (int at = 0; at < record.Length; at += partLength)
        {
            var part = record.AsSpan(at, Math.Min(partLength, record.Length - at));
            bool isLast = at + part.Length == record.Length;
            ulong end = start + (isLast ? WalAddress.Align8((ulong)record.Length) : (ulong)(at + part.Length));
            _frames.Begin(epoch, new Lsn(End));
            _frames.Add(isLast ? LogEntryKind.RecordEnd : LogEntryKind.RecordPart, new Lsn(start), new Lsn(end), 1UL << group, part);
            End = end;
            yield return _frames.Finish().ToArray();
        }
    }

    public Task SendAsync(int index, byte[] frame) => _streams[index].RequestStream.WriteAsync(new AppendRequest
    {
        Batch = new AppendBatch { Vdl = Vdl, GroupVdl = Vdl, Frame = ByteString.CopyFrom(frame) },
    });

    public async Task SendAsync(IEnumerable<int> indexes, byte[] frame)
    {
        foreach (int i in indexes)
        {
            await SendAsync(i, frame);
        }
    }

    public Task HeartbeatAsync(int index, ulong horizon = 0) => _streams[index].RequestStream.WriteAsync(new AppendRequest
    {
        Batch = new AppendBatch { Vdl = Vdl, GroupVdl = Vdl, GcHorizon = horizon },
    });

    /// <summary>Tells a copy that the log up to a position is durable, which reads there wait for; connects again when the copy was restarted.</summary>
    public async Task TellDurableAsync(int index, ulong vdl)
    {
        Vdl = Math.Max(Vdl, Math.Min(vdl, End));
        if (_readers[index].IsCompleted)
        {
            _streams[index].Dispose();
            await ConnectAsync(index);
        }

        await HeartbeatAsync(index);
    }

    public Task UntilAcked(int index, ulong end) =>
        TestVolume.Until(() => Task.FromResult(Acked(index) >= end), $"storage-{index} acknowledges {end:X}, has {Reply(index)}");

    public async Task UntilAcked(IEnumerable<int> indexes, ulong end)
    {
        foreach (int i in indexes)
        {
            await UntilAcked(i, end);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var stream in _streams.Values)
        {
            stream.Dispose();
        }

        await Task.WhenAll(_readers.Values);
    }
}
