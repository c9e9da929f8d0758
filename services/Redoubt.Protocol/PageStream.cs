using System.Buffers.Binary;
using System.Diagnostics;
using Redoubt.Wal;

namespace Redoubt.Protocol;

/// <summary>
/// The page path's wire format (docs/decisions/0008): after a <see cref="StreamHello"/> requests for pages of one segment, each answered in turn.
/// The same question as SegmentService.GetPages, without HTTP/2 and message objects.
/// </summary>
/// <remarks>
/// Little-endian. Request: u32 length of what follows, u32 number, u64 epoch, u64 read point, u64 complete at, u8 trace (1: the next 24 bytes are
/// a trace id and a span id), 24 bytes, n × <see cref="PageKey.EncodedLength"/> bytes of keys. Reply: u32 length of what follows, u32 number of the request,
/// u32 status, then n × 8192 bytes (status 0; zeros for a page without a version) or a sentence (status 1).
/// </remarks>
public static class PageStream
{
    /// <summary><c>RDPS</c>.</summary>
    public const uint Magic = 0x53504452;

    /// <summary>Most pages in one request.</summary>
    public const int MaxPages = 64;

    /// <summary>Bytes of a request before its keys.</summary>
    public const int RequestHeaderLength = 57;

    /// <summary>Bytes of the longest request.</summary>
    public const int MaxRequest = RequestHeaderLength + (MaxPages * PageKey.EncodedLength);

    /// <summary>Bytes of a reply before its pages or sentence.</summary>
    public const int ReplyHeaderLength = 12;

    /// <summary>Longest sentence of a refusal (bytes).</summary>
    public const int MaxSentence = 1024;

    /// <summary>Status: pages follow.</summary>
    public const uint Pages = 0;

    /// <summary>Status: a sentence says why there are none.</summary>
    public const uint Refused = 1;

    /// <summary>Writes what comes before a request's keys.</summary>
    public static void WriteRequest(Span<byte> destination, in PageStreamRequest request, int keyBytes)
    {
        BinaryPrimitives.WriteInt32LittleEndian(destination, RequestHeaderLength - 4 + keyBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], request.Number);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], request.Epoch);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], request.ReadPoint);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[24..], request.CompleteAt);
        var trace = destination[32..RequestHeaderLength];
        trace.Clear();
        if (request.Trace != default)
        {
            trace[0] = 1;
            request.Trace.TraceId.CopyTo(trace[1..17]);
            request.Trace.SpanId.CopyTo(trace[17..]);
        }
    }

    /// <summary>Reads what comes before a request's keys, after its length.</summary>
    public static PageStreamRequest ReadRequest(ReadOnlySpan<byte> source)
    {
        var trace = source[28..(RequestHeaderLength - 4)];
        return new PageStreamRequest(
            BinaryPrimitives.ReadUInt32LittleEndian(source),
            BinaryPrimitives.ReadUInt64LittleEndian(source[4..]),
            BinaryPrimitives.ReadUInt64LittleEndian(source[12..]),
            BinaryPrimitives.ReadUInt64LittleEndian(source[20..]),
            trace[0] == 1
                ? new ActivityContext(ActivityTraceId.CreateFromBytes(trace[1..17]), ActivitySpanId.CreateFromBytes(trace[17..]), ActivityTraceFlags.Recorded, isRemote: true)
                : default);
    }

    /// <summary>Writes what comes before a reply's pages or sentence.</summary>
    public static void WriteReply(Span<byte> destination, uint number, uint status, int length)
    {
        BinaryPrimitives.WriteInt32LittleEndian(destination, ReplyHeaderLength - 4 + length);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], number);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[8..], status);
    }
}

/// <summary>A request of a page stream, without its keys.</summary>
/// <param name="Number">The reply repeats it.</param>
/// <param name="Epoch">The compute's epoch.</param>
/// <param name="ReadPoint">Newest version at or below it.</param>
/// <param name="CompleteAt">End of the group's last entry at or below the read point: the segment must be complete to there.</param>
/// <param name="Trace">The caller's span; default: none.</param>
public readonly record struct PageStreamRequest(uint Number, ulong Epoch, ulong ReadPoint, ulong CompleteAt, ActivityContext Trace);
