using Grpc.Core;
using Redoubt.Protocol.V1;

namespace Redoubt.Storage.Tests;

public sealed class FencingTests
{
    [Fact]
    public async Task Frames_are_acknowledged_by_every_copy_and_survive_restart()
    {
        await using var volume = await TestVolume.StartAsync(3);
        int[] all = [0, 1, 2];
        ulong end;
        await using (var writer = new TestWriter(volume, 1))
        {
            await writer.OpenAsync(all);
            for (int i = 0; i < 50; i++)
            {
                await writer.SendAsync(all, writer.Frame(new byte[100 + i]));
            }

            end = writer.End;
            await writer.UntilAcked(all, end);
        }

        foreach (int i in all)
        {
            await volume.StopAsync(i);
        }

        foreach (int i in all)
        {
            await volume.StartAsync(i);
            var state = await volume.StateAsync(i);
            Assert.Equal(end, state.Scl);
            Assert.Equal(end - 8, state.LastStart);
            Assert.Equal(1UL, state.Epoch);
            Assert.Equal(3u, state.Copies);
        }
    }

    [Fact]
    public async Task Lower_and_equal_epochs_are_refused_for_ever()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await volume.Client(0).OpenEpochAsync(volume.EpochRequest(5));
        await volume.StopAsync(0);
        await volume.StartAsync(0);
        foreach (ulong epoch in new ulong[] { 5, 4, 1 })
        {
            var refused = await Assert.ThrowsAsync<RpcException>(async () => await volume.Client(0).OpenEpochAsync(volume.EpochRequest(epoch)));
            Assert.Equal(StatusCode.FailedPrecondition, refused.StatusCode);
            Assert.Equal("5", refused.Trailers.GetValue("redoubt-epoch"));
        }

        Assert.Equal(6UL, (await volume.Client(0).OpenEpochAsync(volume.EpochRequest(6))).Epoch);
    }

    [Fact]
    public async Task Another_shape_is_refused()
    {
        await using var volume = await TestVolume.StartAsync(1);
        var request = volume.EpochRequest(1);
        request.Groups = 2;
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await volume.Client(0).OpenEpochAsync(request));
        Assert.Contains("group", refused.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_writer_that_has_not_truncated_cannot_append()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await volume.Client(0).OpenEpochAsync(volume.EpochRequest(1));
        using var call = volume.Client(0).Append();
        await call.RequestStream.WriteAsync(new AppendRequest { Open = new AppendOpen { Segment = volume.Id(), Epoch = 1 } });
        var refused = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal("unsettled", refused.Trailers.GetValue("redoubt-reason"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task An_older_writer_gets_no_acknowledgement_after_the_grant(int seed)
    {
        await using var volume = await TestVolume.StartAsync(1);
        var random = new Random(seed);
        await using var older = new TestWriter(volume, 1);
        await older.OpenAsync([0]);
        using var stop = new CancellationTokenSource();
        var sending = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    await older.SendAsync(0, older.Frame(new byte[random.Next(1, 5000)]));
                }
                catch (Exception e) when (e is RpcException or InvalidOperationException)
                {
                    return;
                }
            }
        });
        await TestVolume.Until(() => Task.FromResult(older.Acked(0) > 0), "the first acknowledgement");
        await Task.Delay(random.Next(0, 30));
        ulong granted = (await volume.Client(0).OpenEpochAsync(volume.EpochRequest(2))).Scl;
        await older.Ended(0);
        await stop.CancelAsync();
        await sending;

        // Whatever the older writer was told is durable was in the answer to the newer one.
        Assert.Equal(2UL, older.Reply(0).Epoch);
        Assert.Equal(0UL, older.Reply(0).Scl);
        Assert.True(older.End > 0);
        var state = await volume.StateAsync(0);
        Assert.True(state.Scl == granted, $"seed {seed}: log of the fenced writer moved the chain from {granted:X} to {state.Scl:X}");
    }
}
