using CsCheck;

namespace Redoubt.Wal.Tests.Splitting;

/// <summary>What cannot be redone is refused by name; what is damaged is refused; nothing else happens.</summary>
public sealed class RefusalTests
{
    private static readonly RelFileLocator Rel = new(1663, 5, 20000);

    [Fact]
    public void A_record_of_an_extension_is_refused_and_named()
    {
        byte[] bytes = new RecordBuilder(130, 0x20).Block(0, Rel, Fork.Main, 1).Bytes();
        ControlState control = TestControl.Make();
        var split = Assert.Throws<UnsupportedRecordException>(() => SplitResult.Of(Record(bytes), control));
        var door = Assert.Throws<UnsupportedRecordException>(() => RecordSplitter.RequireSupported(PgVersion.Pg17, Record(bytes)));
        Assert.Contains("130", split.Message);
        Assert.Contains("130", door.Message);
        Assert.Equal(130, door.Rmgr);
    }

    [Fact]
    public void A_record_of_an_extension_that_is_all_images_is_taken()
    {
        byte[] image = new byte[8192];
        Random.Shared.NextBytes(image);
        byte[] bytes = new RecordBuilder(130, 0x20).Block(0, Rel, Fork.Main, 1, image: image).Bytes();
        RecordSplitter.RequireSupported(PgVersion.Pg17, Record(bytes));
        SplitResult split = SplitResult.Of(Record(bytes), TestControl.Make());
        byte[] page = new byte[8192];
        split.Apply(new PageKey(Rel, Fork.Main, 1), page);
        Assert.Equal(image[8..], page[8..]);
    }

    [Theory]
    [InlineData(RmgrId.Heap, 0x90)]
    [InlineData(RmgrId.Transaction, 0x70)]
    [InlineData(RmgrId.Xlog, 0xF0)]
    [InlineData(RmgrId.Database, 0x30)]
    public void An_unknown_kind_of_a_known_manager_is_refused(byte rmgr, byte info)
    {
        byte[] bytes = new RecordBuilder(rmgr, info).Main([1]).Bytes();
        Assert.Throws<UnsupportedRecordException>(() => RecordSplitter.RequireSupported(PgVersion.Pg17, Record(bytes)));
    }

    [Fact]
    public void A_full_page_image_record_without_its_image_is_refused()
    {
        byte[] bytes = new RecordBuilder(RmgrId.Xlog, 0xB0).Block(0, Rel, Fork.Main, 1).Bytes();
        Assert.Throws<WalFormatException>(() => SplitResult.Of(Record(bytes), TestControl.Make()));
    }

    [Fact]
    public void Records_with_random_insides_are_split_or_refused() =>
        Gen.Select(Gen.Byte[0, 21], Gen.Byte, Gen.Byte.Array[0, 80], Gen.Byte.Array[0, 120], Gen.Bool).Sample((rmgr, info, headers, main, wellFormed) =>
        {
            byte[] bytes = wellFormed
                ? new RecordBuilder(rmgr, info) { Xid = 900 }.Block(0, Rel, Fork.Main, 1, headers.Length == 0 ? null : headers).Main(main).Bytes()
                : [.. new RecordBuilder(rmgr, info) { Xid = 900 }.Bytes(), .. headers];
            ControlState control = TestControl.Make(trackCommitTimestamp: true);
            try
            {
                SplitResult split = SplitResult.Of(Record(bytes), control);
                for (int i = 0; i < split.Changes.Count; i++)
                {
                    byte[] page = new byte[8192];
                    page[13] = page[15] = page[17] = 0x20;
                    page[12] = 24;
                    try
                    {
                        PageRedo.Apply(PgVersion.Pg17, split[i], page);
                    }
                    catch (RedoException)
                    {
                    }
                }

                control.Apply(PgVersion.Pg17, Record(bytes));
            }
            catch (WalFormatException)
            {
            }
        });

    private static WalRecord Record(byte[] bytes) => new(new Lsn(0x2000080), new Lsn(0x2000100), bytes);
}
