using Redoubt.Compute.Shipping;
using Redoubt.Protocol.V1;

namespace Redoubt.Compute.Tests;

public class AppendMethodTests
{
    [Theory]
    [InlineData(0UL, 0UL, 0UL, 0)]
    [InlineData(1UL, 127UL, 128UL, 1)]
    [InlineData(0x1234567890UL, ulong.MaxValue, 5UL, 20_000)]
    public void The_hand_written_encoding_is_what_protocol_buffers_read(ulong vdl, ulong groupVdl, ulong horizon, int frameLength)
    {
        var frame = new byte[frameLength];
        new Random(3).NextBytes(frame);
        var buffer = new byte[frameLength + AppendMethod.Overhead];
        int length = AppendMethod.EncodeBatch(buffer, vdl, groupVdl, horizon, frame);
        var request = AppendRequest.Parser.ParseFrom(buffer, 0, length);
        Assert.Equal(AppendRequest.KindOneofCase.Batch, request.KindCase);
        Assert.Equal((vdl, groupVdl, horizon), (request.Batch.Vdl, request.Batch.GroupVdl, request.Batch.GcHorizon));
        Assert.True(request.Batch.Frame.Span.SequenceEqual(frame));
    }
}
