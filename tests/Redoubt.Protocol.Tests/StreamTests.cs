using System.Diagnostics;

namespace Redoubt.Protocol.Tests;

/// <summary>Raw streams' hellos and page requests, as bytes.</summary>
public class StreamTests
{
    [Theory]
    [InlineData("0f8fad5b-d9cb-469f-a165-70867728950e", 2, 7UL, "secret")]
    [InlineData("", 0, ulong.MaxValue, "")]
    public void A_hello_says_what_it_was_made_of(string volume, int group, ulong epoch, string secret)
    {
        var hello = new StreamHello(LogStream.Magic, volume, group, epoch, secret);
        byte[] bytes = hello.Encode();
        Assert.Equal(LogStream.Magic, BitConverter.ToUInt32(bytes));
        Assert.Equal(bytes.Length - StreamHello.PrefixLength, BitConverter.ToInt32(bytes, 4));
        Assert.Equal(hello, StreamHello.Decode(LogStream.Magic, bytes.AsSpan(StreamHello.PrefixLength)));
    }

    [Fact]
    public void A_hello_that_is_cut_off_or_has_something_behind_it_is_refused()
    {
        byte[] hello = new StreamHello(PageStream.Magic, "volume", 1, 2, "secret").Encode()[StreamHello.PrefixLength..];
        for (int length = 0; length < hello.Length; length++)
        {
            Assert.Null(StreamHello.Decode(PageStream.Magic, hello.AsSpan(0, length)));
        }

        Assert.Null(StreamHello.Decode(PageStream.Magic, [.. hello, 0]));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_page_request_says_what_it_was_made_of(bool traced)
    {
        var trace = traced
            ? new ActivityContext(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded, isRemote: true)
            : default;
        var request = new PageStreamRequest(uint.MaxValue, 3, ulong.MaxValue, 0x1122334455667788, trace);
        Span<byte> bytes = stackalloc byte[PageStream.RequestHeaderLength];
        bytes.Fill(0xCC);
        PageStream.WriteRequest(bytes, request, 34);
        Assert.Equal(PageStream.RequestHeaderLength - 4 + 34, BitConverter.ToInt32(bytes));
        Assert.Equal(request, PageStream.ReadRequest(bytes[4..]));
    }
}
