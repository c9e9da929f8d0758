namespace Redoubt.Wal.Tests.Reading;

public sealed class WalAddressTests
{
    [Theory]
    [InlineData("0/1000000", "0/1000028")]
    [InlineData("0/1002000", "0/1002018")]
    [InlineData("0/1002018", "0/1002018")]
    [InlineData("0/1002FF8", "0/1002FF8")]
    public void The_next_record_starts_after_a_page_header(string end, string start) =>
        Assert.Equal(Lsn.Parse(start), WalAddress.NextRecordStart(Lsn.Parse(end)));

    [Theory]
    [InlineData("0/1000028", 114u, "0/10000A0")]
    [InlineData("0/1001FF0", 16u, "0/1002000")]
    [InlineData("0/1001FF0", 24u, "0/1002020")]
    [InlineData("0/1FFFFF8", 32u, "0/2000040")]
    public void A_record_ends_past_the_page_headers_it_crosses(string start, uint length, string end) =>
        Assert.Equal(Lsn.Parse(end), WalAddress.RecordEnd(Lsn.Parse(start), length));

    [Theory]
    [InlineData("0/1000000", "000000010000000000000001")]
    [InlineData("12/FF000001", "0000000100000012000000FF")]
    public void Segment_files_are_named_as_postgres_names_them(string lsn, string name)
    {
        Assert.Equal(name, WalAddress.SegmentFileName(1, Lsn.Parse(lsn)));
        Assert.True(WalAddress.TryParseSegmentFileName(name, out uint timeline, out Lsn start));
        Assert.Equal((1u, WalAddress.SegmentStart(Lsn.Parse(lsn))), (timeline, start));
        Assert.False(WalAddress.TryParseSegmentFileName("archive_status", out _, out _));
    }

    [Fact]
    public void Crc32C_of_the_standard_check_string_is_right() => Assert.Equal(0xE3069283u, Crc32C.Compute("123456789"u8));
}
