using System.Diagnostics.Metrics;
using Google.Protobuf;
using Grpc.Core;
using Redoubt.Protocol.V1;
using Redoubt.Wal;

namespace Redoubt.Storage.Tests;

/// <summary>Readers that go away in the middle of a long answer, as a compute does that is killed, or that had the pages from another segment first.</summary>
public sealed class CancelledReadTests
{
    private const int Pages = 512;
    private static readonly RelFileLocator Table = new(1663, 5, 16384);

    /// <remarks>Kestrel gives who writes to a stream that was reset no memory, and Protobuf's writer asks for ever.</remarks>
    [Fact]
    public async Task A_read_that_is_cancelled_while_it_is_answered_ends()
    {
        long active = 0;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "http.server.active_requests")
            {
                l.EnableMeasurementEvents(instrument);
            }
        };
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = new TestWriter(volume, 1);
        await writer.OpenAsync([0]);
        byte[] frame = writer.Frame(TestRecords.FullPage(new PageKey(Table, Fork.Main, 0), TestRecords.Page(1)));
        writer.Vdl = writer.End;
        await writer.SendAsync(0, frame);
        await writer.UntilAcked(0, writer.End);
        await writer.HeartbeatAsync(0);
        listener.SetMeasurementEventCallback<long>((_, change, _, _) => Interlocked.Add(ref active, change));
        listener.Start();
        var request = new GetPagesRequest { Segment = volume.Id(), Epoch = 1, ReadPoint = writer.End, CompleteAt = writer.End, Keys = ByteString.CopyFrom(Keys()) };
        var client = volume.Client(0);
        await Parallel.ForEachAsync(Enumerable.Range(0, 2000), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, _) =>
        {
            using var enough = new CancellationTokenSource();
            var call = client.GetPagesAsync(request, cancellationToken: enough.Token);
            enough.CancelAfter(TimeSpan.FromMicroseconds(Random.Shared.Next(5000)));
            try
            {
                await call;
            }
            catch (RpcException e) when (enough.IsCancellationRequested && e.StatusCode is StatusCode.Cancelled or StatusCode.Internal or StatusCode.Unavailable)
            {
                // As it should be.
            }
        });
        await TestVolume.Until(() => Task.FromResult(Interlocked.Read(ref active) <= 1), "all answers but the writer's stream end");
    }

    private static byte[] Keys()
    {
        var keys = new byte[Pages * PageKey.EncodedLength];
        for (int i = 0; i < Pages; i++)
        {
            new PageKey(Table, Fork.Main, (uint)i).Write(keys.AsSpan(i * PageKey.EncodedLength));
        }

        return keys;
    }
}
