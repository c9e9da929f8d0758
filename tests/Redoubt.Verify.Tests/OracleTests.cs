using Redoubt.Cli.Toolchain;
using Redoubt.Verify.Masks;
using Redoubt.Verify.Workloads;
using Redoubt.Wal;

namespace Redoubt.Verify.Tests;

/// <summary>The oracle on the small built-in workload: redo is right, and redo that is not right is found out.</summary>
public sealed class OracleTests(ITestOutputHelper output)
{
    /// <summary>Kinds that need more transactions than the small workload has, or the pass with full-page writes.</summary>
    private static readonly (byte Rmgr, byte Info)[] NeedVolume =
    [
        (RmgrId.Xlog, 0xA0), (RmgrId.Clog, 0x00), (RmgrId.Clog, 0x10), (RmgrId.CommitTs, 0x10), (RmgrId.MultiXact, 0x00), (RmgrId.MultiXact, 0x30),
    ];

    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task Every_page_is_as_PostgreSQL_says_and_a_standby_has_the_same_files(PgVersion version)
    {
        var result = await RunAsync(version, VerifyPasses.Images | VerifyPasses.Standby, null);
        Assert.True(result.Passed, string.Join('\n', result.Messages));
        Assert.True(result.Counts.BlockChanges > 200_000, $"only {result.Counts.BlockChanges} block changes");
        Assert.True(result.Counts.PagesCompared > 150_000, $"only {result.Counts.PagesCompared} pages compared");
        Assert.True(result.FinalPages > 10_000);
        Assert.True(result.FilesCompared > 15);
        Assert.Equal(
            [],
            result.Counts.Kinds()
                .Where(kind => kind.Seen == 0 && UnreachableKinds.Reason(kind.Rmgr, kind.Info) is null && !NeedVolume.Contains((kind.Rmgr, kind.Info)))
                .Select(kind => $"{RmgrNames.Rmgr(kind.Rmgr)} {kind.Name}"));
        Assert.DoesNotContain(result.Counts.Kinds(), kind => kind.Seen > 0 && UnreachableKinds.Reason(kind.Rmgr, kind.Info) is not null);
    }

    [Fact]
    public async Task Full_page_writes_compressed_images_and_logged_hint_bits_are_redone_too()
    {
        var result = await RunAsync(PgVersion.Pg17, VerifyPasses.FullPageWrites, null);
        Assert.True(result.Passed, string.Join('\n', result.Messages));
        Assert.Contains(result.Counts.Kinds(), kind => kind is { Rmgr: RmgrId.Xlog, Info: 0xA0, Seen: > 0 });
    }

    [Fact]
    public async Task A_broken_redo_function_of_any_resource_manager_is_caught()
    {
        var broken = new BrokenRedo();
        var result = await RunAsync(PgVersion.Pg17, VerifyPasses.Images, broken.Apply);
        byte[] masked = [.. Enumerable.Range(0, 22).Select(rmgr => (byte)rmgr).Where(PageMask.Exists)];
        Assert.Equal(10, masked.Length);
        foreach (byte rmgr in masked)
        {
            Assert.True(broken.Broke(rmgr), $"no page of {RmgrNames.Rmgr(rmgr)} was broken");
            Assert.Contains(result.Counts.Kinds(), kind => kind.Rmgr == rmgr && kind.Mismatched > 0);
        }

        Assert.False(result.Passed);
    }

    [Fact]
    public async Task Broken_redo_of_what_has_no_image_is_caught_by_the_standby()
    {
        var broken = new BrokenImplicitRedo();
        var result = await RunAsync(
            PgVersion.Pg17, VerifyPasses.Standby, broken.Apply, IsForgotten);
        string all = string.Join('\n', result.Messages);
        output.WriteLine(all);
        foreach (string file in (string[])["pg_xact", "pg_multixact/offsets", "pg_multixact/members", "pg_commit_ts", "VisibilityMap"])
        {
            Assert.Contains(file, all, StringComparison.Ordinal);
        }

        foreach (var (rmgr, kind) in Forgotten)
        {
            Assert.True(result.Counts.Kinds().Any(seen => seen.Rmgr == rmgr && seen.Info == kind && seen.Seen > 0), $"no {RmgrNames.Rmgr(rmgr)} {kind:X2}");
        }

        foreach (string sign in (string[])
        [
            "PostgreSQL has a file, redo does not have it", ": redo has [0-9]+ blocks, PostgreSQL", "redo has it, PostgreSQL has no PG_VERSION",
            "Tablespace [0-9]+: redo has it", "the relation map differs", "Replication origin [0-9]+: redo is at",
        ])
        {
            Assert.Matches(sign, all);
        }
    }

    private static bool IsForgotten(in WalRecord record) =>
        Forgotten.Contains((record.Rmgr, (byte)(record.Info & (record.Rmgr == RmgrId.Transaction ? 0x70 : 0xF0))));

    /// <summary>One kind of every resource manager whose redo is not of pages: PREPARE, TRUNCATE, DROP of databases, tablespaces and origins,
    /// relation maps, CREATE_ID. (Standby and LogicalMessage leave nothing behind; what XLOG counts, the last checkpoint tells again.)</summary>
    private static readonly (byte Rmgr, byte Info)[] Forgotten =
    [
        (RmgrId.Transaction, 0x10), (RmgrId.Storage, 0x20), (RmgrId.Database, 0x20), (RmgrId.Tablespace, 0x10), (RmgrId.RelMap, 0x00),
        (RmgrId.ReplicationOrigin, 0x10), (RmgrId.MultiXact, 0x20),
    ];

    private async Task<VerifyRedoResult> RunAsync(PgVersion version, VerifyPasses passes, PageApplier? apply, RecordFilter? forgets = null) => await VerifyRedo.RunAsync(
        new VerifyRedoOptions
        {
            Version = version,
            BinFolder = await PostgresBinaries.EnsureAsync((int)version, cancellation: TestContext.Current.CancellationToken),
            Scale = WorkloadScale.Small,
            Passes = passes,
            Apply = apply,
            Forgets = forgets,
            MaxMessages = 5000,
            Progress = output.WriteLine,
        },
        TestContext.Current.CancellationToken);

    /// <summary>Real redo, but for one byte of one page of every resource manager.</summary>
    private sealed class BrokenRedo
    {
        private readonly bool[] _broke = new bool[256];

        public bool Broke(byte rmgr) => _broke[rmgr];

        public void Apply(PgVersion version, in BlockChange change, Span<byte> page)
        {
            PageRedo.Apply(version, change, page);
            const int lower = 12, firstItem = 24;
            bool hasItem = page[lower] + (page[lower + 1] << 8) is > firstItem and < PageRedo.PageSize;
            if (!_broke[change.Rmgr] && hasItem && change.Key.Fork == Fork.Main && (change.Flags & BlockChangeFlags.CheckImage) != 0)
            {
                _broke[change.Rmgr] = true;
                page[firstItem] ^= 1;
            }
        }
    }

    /// <summary>Real redo, but for one byte of one page of every SLRU, of every SLRU page made, and of some visibility maps: a byte that no later
    /// change writes.</summary>
    private sealed class BrokenImplicitRedo
    {
        private const int UnusedAt = 8190;

        private readonly Dictionary<Fork, int> _changes = [];
        private readonly HashSet<PageKey> _maps = [];

        public void Apply(PgVersion version, in BlockChange change, Span<byte> page)
        {
            PageRedo.Apply(version, change, page);
            bool map = change.Key.Fork == Fork.VisibilityMap && _maps.Add(change.Key) && _maps.Count % 10 == 0;
            bool made = change is { Rmgr: BlockChange.Implicit, Info: (byte)ImplicitChange.SlruZeroPage };
            bool slru = change.Key.IsSlru && (_changes[change.Key.Fork] = _changes.GetValueOrDefault(change.Key.Fork) + 1) == 5;
            if (map || slru || made)
            {
                page[UnusedAt] ^= 0x10;
            }
        }
    }
}
