namespace Redoubt.Protocol.Tests;

public class LogStreamTests
{
    [Theory]
    [InlineData("0f8fad5b-d9cb-469f-a165-70867728950e", 2, 7UL, "secret")]
    [InlineData("", 0, ulong.MaxValue, "")]
    public void A_hello_says_what_it_was_made_of(string volume, int group, ulong epoch, string secret)
    {
        byte[] hello = LogStream.Hello(volume, group, epoch, secret);
        Assert.Equal(LogStream.Magic, BitConverter.ToUInt32(hello));
        Assert.Equal(hello.Length - LogStream.HelloPrefixLength, BitConverter.ToInt32(hello, 4));
        Assert.True(LogStream.TryReadHello(hello.AsSpan(LogStream.HelloPrefixLength), out string v, out int g, out ulong e, out string s));
        Assert.Equal((volume, group, epoch, secret), (v, g, e, s));
    }

    [Fact]
    public void A_hello_that_is_cut_off_or_has_something_behind_it_is_refused()
    {
        byte[] hello = LogStream.Hello("volume", 1, 2, "secret");
        for (int length = 0; length < hello.Length - LogStream.HelloPrefixLength; length++)
        {
            Assert.False(LogStream.TryReadHello(hello.AsSpan(LogStream.HelloPrefixLength, length), out _, out _, out _, out _));
        }

        Assert.False(LogStream.TryReadHello([.. hello.AsSpan(LogStream.HelloPrefixLength), 0], out _, out _, out _, out _));
    }
}
