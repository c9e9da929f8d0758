using Google.Protobuf;
using Grpc.Core;
using Redoubt.Protocol.V1;

namespace Redoubt.Compute.Shipping;

/// <summary>
/// SegmentService.Append with requests that are already encoded: a frame is put into protocol-buffer form once and goes to all copies as the same
/// bytes. The wire format is that of segment.proto's AppendRequest.
/// </summary>
public static class AppendMethod
{
    private const byte BatchTag = (2 << 3) | 2;   // AppendRequest.batch
    private const byte VdlTag = 1 << 3;           // AppendBatch.vdl
    private const byte GroupVdlTag = 2 << 3;      // AppendBatch.group_vdl
    private const byte GcHorizonTag = 3 << 3;     // AppendBatch.gc_horizon
    private const byte FrameTag = (4 << 3) | 2;   // AppendBatch.frame

    /// <summary>Most bytes that <see cref="EncodeBatch"/> puts around a frame.</summary>
    public const int Overhead = 64;

    /// <summary>The method.</summary>
    public static readonly Method<Shipment, AppendReply> Append = new(
        MethodType.DuplexStreaming,
        "redoubt.segment.v1.SegmentService",
        "Append",
        Marshallers.Create<Shipment>(Serialize, static (DeserializationContext _) => throw new NotSupportedException("requests are only written")),
        Marshallers.Create<AppendReply>((_, _) => throw new NotSupportedException("replies are only read"), Deserialize));

    /// <summary>The first request of a stream.</summary>
    public static Shipment Open(SegmentId segment, ulong epoch)
    {
        byte[] message = new AppendRequest { Open = new AppendOpen { Segment = segment, Epoch = epoch } }.ToByteArray();
        return new Shipment(message, message.Length);
    }

    /// <summary>Writes an AppendRequest with a batch into <paramref name="destination"/>; returns its length.</summary>
    public static int EncodeBatch(Span<byte> destination, ulong vdl, ulong groupVdl, ulong gcHorizon, ReadOnlySpan<byte> frame)
    {
        int inner = Field(vdl) + Field(groupVdl) + Field(gcHorizon) + (frame.IsEmpty ? 0 : 1 + VarintLength((ulong)frame.Length) + frame.Length);
        int at = 0;
        destination[at++] = BatchTag;
        at += WriteVarint(destination[at..], (ulong)inner);
        at += WriteField(destination[at..], VdlTag, vdl);
        at += WriteField(destination[at..], GroupVdlTag, groupVdl);
        at += WriteField(destination[at..], GcHorizonTag, gcHorizon);
        if (!frame.IsEmpty)
        {
            destination[at++] = FrameTag;
            at += WriteVarint(destination[at..], (ulong)frame.Length);
            frame.CopyTo(destination[at..]);
            at += frame.Length;
        }

        return at;
    }

    private static int Field(ulong value) => value == 0 ? 0 : 1 + VarintLength(value);

    private static int VarintLength(ulong value)
    {
        int length = 1;
        while ((value >>= 7) != 0)
        {
            length++;
        }

        return length;
    }

    private static int WriteField(Span<byte> destination, byte tag, ulong value)
    {
        if (value == 0)
        {
            return 0;
        }

        destination[0] = tag;
        return 1 + WriteVarint(destination[1..], value);
    }

    private static int WriteVarint(Span<byte> destination, ulong value)
    {
        int at = 0;
        while (value >= 0x80)
        {
            destination[at++] = (byte)(value | 0x80);
            value >>= 7;
        }

        destination[at++] = (byte)value;
        return at;
    }

    private static void Serialize(Shipment shipment, SerializationContext context)
    {
        var message = shipment.Message;
        context.SetPayloadLength(message.Length);
        var writer = context.GetBufferWriter();
        message.Span.CopyTo(writer.GetSpan(message.Length));
        writer.Advance(message.Length);
        context.Complete();
    }

    private static AppendReply Deserialize(DeserializationContext context) => AppendReply.Parser.ParseFrom(context.PayloadAsReadOnlySequence());
}
