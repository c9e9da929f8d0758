namespace Redoubt.Wal.Tests.IndexAccess;

/// <summary>Redo of index pages against PostgreSQL itself.</summary>
public sealed class IndexRedoTests
{
    /// <summary>Every kind and block reference of index records that redo acts on without an image and that a server of moderate size
    /// writes. Not among them: the second bitmap page of a hash index (block 3 of ADD_OVFL_PAGE, past 32,768 overflow pages).</summary>
    private static readonly (byte Rmgr, byte Info, byte[] Blocks)[] Kinds =
    [
        (RmgrId.Btree, 0x00, [0]), (RmgrId.Btree, 0x10, [0, 1]), (RmgrId.Btree, 0x30, [0, 1, 2]), (RmgrId.Btree, 0x40, [0, 1, 2]),
        (RmgrId.Btree, 0x50, [0]), (RmgrId.Btree, 0x60, [0]), (RmgrId.Btree, 0x70, [0]), (RmgrId.Btree, 0x80, [0, 1, 2, 3]),
        (RmgrId.Btree, 0x90, [0, 2, 4]), (RmgrId.Btree, 0xA0, [0, 1, 2]), (RmgrId.Btree, 0xB0, [0, 1]), (RmgrId.Btree, 0xC0, [0]),
        (RmgrId.Btree, 0xE0, [0]),
        (RmgrId.Hash, 0x00, [0]), (RmgrId.Hash, 0x10, [0, 1]), (RmgrId.Hash, 0x20, [0, 1]), (RmgrId.Hash, 0x30, [0, 1, 2, 4]),
        (RmgrId.Hash, 0x40, [0, 1, 2]), (RmgrId.Hash, 0x60, [0, 1]), (RmgrId.Hash, 0x70, [0, 1, 2]), (RmgrId.Hash, 0x80, [0, 1, 2, 3, 5, 6]),
        (RmgrId.Hash, 0x90, [0, 1]), (RmgrId.Hash, 0xA0, [0]), (RmgrId.Hash, 0xB0, [0]), (RmgrId.Hash, 0xC0, [0, 1]),
        (RmgrId.Gin, 0x10, [0]), (RmgrId.Gin, 0x20, [0, 1]), (RmgrId.Gin, 0x30, [3]), (RmgrId.Gin, 0x50, [0, 1, 2]), (RmgrId.Gin, 0x60, [0, 1]),
        (RmgrId.Gin, 0x70, [0]), (RmgrId.Gin, 0x80, [0, 1]), (RmgrId.Gin, 0x90, [0]),
        (RmgrId.Gist, 0x00, [0, 1]), (RmgrId.Gist, 0x10, [0]), (RmgrId.Gist, 0x30, [0, 1, 2]), (RmgrId.Gist, 0x60, [0, 1]),
        (RmgrId.SpGist, 0x10, [0, 1]), (RmgrId.SpGist, 0x20, [0, 1, 2]), (RmgrId.SpGist, 0x30, [0, 1, 2]), (RmgrId.SpGist, 0x40, [0, 1]),
        (RmgrId.SpGist, 0x50, [0, 1, 2, 3]), (RmgrId.SpGist, 0x60, [0]), (RmgrId.SpGist, 0x70, [0]), (RmgrId.SpGist, 0x80, [0]),
        (RmgrId.Brin, 0x00, [0]), (RmgrId.Brin, 0x10, [0, 1]), (RmgrId.Brin, 0x90, [0, 1]), (RmgrId.Brin, 0x20, [0, 1, 2]),
        (RmgrId.Brin, 0xA0, [0, 1, 2]), (RmgrId.Brin, 0x30, [0]), (RmgrId.Brin, 0x40, [0, 1]), (RmgrId.Brin, 0x50, [0, 1]),
        (RmgrId.Generic, 0x00, [0]),
    ];

    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task Redo_makes_the_index_pages_that_PostgreSQL_made(PgVersion version)
    {
        IndexFollower log = await IndexLog.FollowedAsync(version);
        Assert.Empty(log.Mismatches.Take(10));
        var missing = Kinds
            .SelectMany(kind => kind.Blocks.Select(block => (kind.Rmgr, kind.Info, block)))
            .Where(kind => !log.Compared.ContainsKey(kind))
            .Select(kind => $"{RmgrNames.Describe(kind.Rmgr, kind.Info)} block reference {kind.block}");
        Assert.Empty(missing);
    }

    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task A_change_that_starts_a_chain_does_not_look_at_the_page_before(PgVersion version)
    {
        IndexFollower log = await IndexLog.FollowedAsync(version);
        Assert.Empty(log.NeedOldPage.Take(10));
    }

    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task Redo_allocates_nothing(PgVersion version)
    {
        IndexFollower log = await IndexLog.FollowedAsync(version);
        byte[] page = new byte[PageRedo.PageSize];
        for (int round = 0; round < 2; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            foreach (IndexSample sample in log.Samples)
            {
                sample.Before.CopyTo(page, 0);
                PageRedo.Apply(version, sample.Change, page);
            }

            // The first round may load code.
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(round == 0 || allocated < 256, $"{allocated} bytes for {log.Samples.Count} changes");
        }
    }

    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task Damaged_records_and_pages_end_in_an_error_with_a_name_or_a_page(PgVersion version)
    {
        IndexFollower log = await IndexLog.FollowedAsync(version);
        const int rounds = 150;
        int refused = 0;
        for (int i = 0; i < log.Samples.Count * rounds; i++)
        {
            var random = new Random(i);
            IndexSample sample = log.Samples[i / rounds];
            byte[] page = (byte[])sample.Before.Clone();
            try
            {
                PageRedo.Apply(version, Damage.Apply(random, sample.Change, page), page);
            }
            catch (RedoException error)
            {
                Assert.Equal(sample.Lsn, error.Lsn);
                refused++;
            }
            catch (Exception error) when (error is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"seed {i}, {RmgrNames.Describe(sample.Change.Rmgr, sample.Change.Info)}: {error}");
            }
        }

        Assert.InRange(refused, log.Samples.Count, log.Samples.Count * rounds);
    }
}
