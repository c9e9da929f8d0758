using Redoubt.Verify.Masks;

namespace Redoubt.Wal.Tests.IndexAccess;

/// <summary>
/// Redoes every change of index pages in a log and compares the page with PostgreSQL's image of it. Keeps a few changes of each kind, with
/// the page before, for tests that damage them.
/// </summary>
internal sealed class IndexFollower(PgVersion version)
{
    private const int SamplesPerKind = 6;
    private const uint FirstUserRelation = 16384;

    private readonly Dictionary<PageKey, byte[]> _pages = [];
    private readonly byte[] _before = new byte[PageRedo.PageSize];
    private readonly byte[] _expected = new byte[PageRedo.PageSize];
    private readonly byte[] _actual = new byte[PageRedo.PageSize];
    private readonly byte[] _garbage = new byte[PageRedo.PageSize];

    public PgVersion Version { get; } = version;

    /// <summary>Pages compared, by record kind and block reference.</summary>
    public Dictionary<(byte Rmgr, byte Info, byte Block), int> Compared { get; } = [];

    /// <summary>What differed or was refused.</summary>
    public List<string> Mismatches { get; } = [];

    /// <summary>Changes that say they do not need the page before, but came out otherwise on another page.</summary>
    public List<string> NeedOldPage { get; } = [];

    public List<IndexSample> Samples { get; } = [];

    public void Apply(in BlockChange change)
    {
        bool index = change.Rmgr is RmgrId.Btree or RmgrId.Hash or RmgrId.Gin or RmgrId.Gist or RmgrId.SpGist or RmgrId.Brin or RmgrId.Generic;
        bool restores = (change.Flags & BlockChangeFlags.ApplyImage) != 0;
        if ((!index && !restores) || change.Key.Rel.RelNumber < FirstUserRelation)
        {
            return;
        }

        if (!_pages.TryGetValue(change.Key, out byte[]? page))
        {
            _pages[change.Key] = page = new byte[PageRedo.PageSize];
        }

        page.CopyTo(_before, 0);
        try
        {
            PageRedo.Apply(Version, change, page);
        }
        catch (RedoException refusal)
        {
            Mismatches.Add(refusal.Message);
        }

        if ((change.Flags & BlockChangeFlags.WillInit) != 0)
        {
            CheckIndependence(change, page);
        }

        if ((change.Flags & BlockChangeFlags.CheckImage) != 0)
        {
            Compare(change, page);
        }
    }

    public void Truncate(RelFileLocator rel, Fork fork, uint blocks)
    {
        foreach (PageKey key in _pages.Keys.Where(key => key.Rel == rel && key.Fork == fork && key.Block >= blocks).ToList())
        {
            _pages.Remove(key);
        }
    }

    private void CheckIndependence(in BlockChange change, byte[] page)
    {
        new Random(17).NextBytes(_garbage);
        PageRedo.Apply(Version, change, _garbage);
        if (!_garbage.AsSpan().SequenceEqual(page))
        {
            NeedOldPage.Add(Describe(change));
        }
    }

    private void Compare(in BlockChange change, byte[] page)
    {
        var kind = (change.Rmgr, change.Info, change.BlockId);
        int seen = Compared[kind] = Compared.GetValueOrDefault(kind) + 1;
        if (seen <= SamplesPerKind)
        {
            byte[] encoded = new byte[change.EncodedLength];
            change.Encode(encoded);
            Samples.Add(new IndexSample(change.Key, change.Lsn, (byte[])_before.Clone(), encoded));
        }

        PageRedo.RestoreImage(change, _expected);
        page.CopyTo(_actual, 0);
        PageMask.Apply(change.Rmgr, _expected, change.Key.Block);
        PageMask.Apply(change.Rmgr, _actual, change.Key.Block);
        int at = _expected.AsSpan().CommonPrefixLength(_actual);
        if (at < PageRedo.PageSize)
        {
            Mismatches.Add($"{Describe(change)}: byte {at} is {_actual[at]:X2}, PostgreSQL has {_expected[at]:X2}");
            PageRedo.RestoreImage(change, page);
        }
    }

    private static string Describe(in BlockChange change) =>
        $"{change.Lsn} {RmgrNames.Describe(change.Rmgr, change.Info)} block reference {change.BlockId} on {change.Key}";
}
