using Redoubt.Wal;

namespace Redoubt.Protocol.Tests;

public class ImportItemTests
{
    private readonly ImportItemWriter _writer = new();

    [Fact]
    public void Pages_come_back_as_they_were()
    {
        var random = new Random(7);
        var pages = Enumerable.Range(0, ImportItem.MaxPages).Select(i =>
        {
            var page = new byte[PageRedo.PageSize];
            random.NextBytes(page.AsSpan(0, i * 256));
            return page;
        }).ToArray();
        for (int i = 0; i < pages.Length; i++)
        {
            Assert.False(_writer.IsFull);
            _writer.AddPage(Key(i), pages[i]);
        }

        Assert.True(_writer.IsFull);
        var item = ImportItem.Parse(_writer.FinishPages().ToArray());
        Assert.Equal(ImportItemKind.Pages, item.Kind);
        Assert.Equal(pages.Length, item.PageCount);
        for (int i = 0; i < pages.Length; i++)
        {
            Assert.Equal(Key(i), item.PageKeyAt(i));
            Assert.True(item.PageAt(i).SequenceEqual(pages[i]));
        }
    }

    [Fact]
    public void Small_items_come_back_as_they_were()
    {
        var fork = ImportItem.Parse(_writer.ForkSize(new RelFileLocator(1663, 5, 1259), Fork.VisibilityMap, 77).ToArray());
        Assert.Equal(new PageKey(new RelFileLocator(1663, 5, 1259), Fork.VisibilityMap, 77), fork.Fork);

        byte[] contents = [.. Enumerable.Repeat((byte)9, 600)];
        var file = ImportItem.Parse(_writer.File("base/5/PG_VERSION", contents).ToArray());
        Assert.Equal("base/5/PG_VERSION", file.Path);
        Assert.True(file.Contents.SequenceEqual(contents));

        var database = ImportItem.Parse(_writer.Database(5, 1663).ToArray());
        Assert.Equal((5u, 1663u), (database.Oid, database.DatabaseSpace));

        var tablespace = ImportItem.Parse(_writer.Tablespace(16384, "/srv/fast").ToArray());
        Assert.Equal((16384u, "/srv/fast"), (tablespace.Oid, tablespace.Path));

        var control = ImportItem.Parse(_writer.Control([1, 2, 3]).ToArray());
        Assert.True(control.Contents.SequenceEqual(new byte[] { 1, 2, 3 }));
    }

    [Fact]
    public void Damaged_items_are_refused_with_a_typed_error()
    {
        _writer.AddPage(Key(1), new byte[PageRedo.PageSize]);
        byte[] good = _writer.FinishPages().ToArray();
        var random = new Random(11);
        int refused = 0;
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bad = good[..random.Next(good.Length + 1)];
            if (bad.Length > 0)
            {
                bad[random.Next(bad.Length)] ^= (byte)(1 << random.Next(8));
            }

            try
            {
                ImportItem.Parse(bad);
            }
            catch (LogFrameException)
            {
                refused++;
            }
        }

        Assert.True(refused > 10_000);
    }

    private static PageKey Key(int i) => new(new RelFileLocator(1663, 5, 16384), Fork.Main, (uint)i);
}
