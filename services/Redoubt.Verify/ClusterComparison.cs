using System.Buffers.Binary;
using System.Globalization;
using Redoubt.Verify.Masks;
using Redoubt.Verify.Pages;
using Redoubt.Wal;

namespace Redoubt.Verify;

/// <summary>
/// Compares every page and fork size that redo made with the files of a data directory after a clean shutdown.
/// </summary>
/// <remarks>
/// With the files of the primary that wrote the log, pages are masked, and these may differ because PostgreSQL does not log them:
/// free-space maps; sequences (the log runs ahead of the page); the cache of pages in the metapage of an SP-GiST index; pages past the end
/// that were added but never filled; unlogged relations but for their init forks, and those too when an extension writes them with generic WAL; visibility-map bits that <c>CREATE DATABASE</c> by
/// <c>WAL_LOG</c> copied (it logs those pages as if their contents were unused space). With the files of a standby, which had nothing but the
/// same log, pages must be equal but for the unused space between <c>pd_lower</c> and <c>pd_upper</c>; only free-space maps may differ, and one
/// flag: PostgreSQL's redo of GiST <c>DELETE</c> sets <c>F_TUPLES_DELETED</c> where the primary (gistprunepage) does not; redo here follows
/// the primary, whose page is in the log's images.
/// </remarks>
public sealed class ClusterComparison
{
    private const int MaxMessages = 50;

    private readonly ClusterState _ours;
    private readonly RelationKinds _kinds;
    private readonly bool _exact;
    private readonly byte[] _theirPage = new byte[PageRedo.PageSize];
    private readonly byte[] _ourPage = new byte[PageRedo.PageSize];

    private ClusterComparison(ClusterState ours, RelationKinds kinds, bool exact)
    {
        _ours = ours;
        _kinds = kinds;
        _exact = exact;
    }

    /// <summary>Pages compared.</summary>
    public long Pages { get; private set; }

    /// <summary>Pages, sizes and files that differ.</summary>
    public long Differences { get; private set; }

    /// <summary>Pages that PostgreSQL added without logging them: allowed, with a primary.</summary>
    public long UnloggedPages { get; private set; }

    /// <summary>The first differences, one sentence each.</summary>
    public List<string> Messages { get; } = [];

    /// <summary>Compares with the primary that wrote the log.</summary>
    public static ClusterComparison WithPrimary(ClusterState ours, string dataFolder, RelationKinds kinds)
    {
        var comparison = new ClusterComparison(ours, kinds, exact: false);
        comparison.Run(dataFolder);
        return comparison;
    }

    /// <summary>Compares with a standby that replayed the log to its end.</summary>
    public static ClusterComparison WithStandby(ClusterState ours, string dataFolder, RelationKinds kinds)
    {
        var comparison = new ClusterComparison(ours, kinds, exact: true);
        comparison.Run(dataFolder);
        return comparison;
    }

    internal void Differs(string message)
    {
        Differences++;
        if (Messages.Count < MaxMessages)
        {
            Messages.Add(message);
        }
    }

    private void Run(string dataFolder)
    {
        var forks = RelationFile.Enumerate(dataFolder)
            .Where(file => !file.IsTemporary && file.Fork != Fork.FreeSpaceMap)
            .GroupBy(file => (file.Rel, file.Fork))
            .ToDictionary(group => group.Key, group => group.OrderBy(file => file.FirstBlock).ToList());
        foreach (var ((rel, fork), files) in forks)
        {
            CompareFork(rel, fork, files);
        }

        foreach (var rel in _ours.Pages.Relations)
        {
            for (Fork fork = Fork.Main; fork <= Fork.Init; fork++)
            {
                if (fork != Fork.FreeSpaceMap && IsChecked(rel, fork) && _ours.Pages.Blocks(rel, fork) > 0 && !forks.ContainsKey((rel, fork)))
                {
                    Differs($"{Describe(rel)} {fork}: redo has {_ours.Pages.Blocks(rel, fork)} blocks, PostgreSQL has no file.");
                }
            }
        }
    }

    private void CompareFork(in RelFileLocator rel, Fork fork, List<RelationFile> files)
    {
        if (!IsChecked(rel, fork))
        {
            return;
        }

        uint theirBlocks = files.Aggregate(0u, (sum, file) => sum + (uint)(new FileInfo(file.Path).Length / PageRedo.PageSize));
        uint ourBlocks = _ours.Pages.Blocks(rel, fork) ?? 0;
        if (ourBlocks > theirBlocks || (_exact && ourBlocks != theirBlocks))
        {
            Differs($"{Describe(rel)} {fork}: redo has {ourBlocks} blocks, PostgreSQL {theirBlocks}.");
        }

        foreach (var file in files)
        {
            using var stream = File.OpenRead(file.Path);
            for (uint block = file.FirstBlock; stream.ReadAtLeast(_theirPage, _theirPage.Length, throwOnEndOfStream: false) == _theirPage.Length; block++)
            {
                ComparePage(new PageKey(rel, fork, block), block >= ourBlocks);
            }
        }
    }

    private void ComparePage(in PageKey key, bool pastEnd)
    {
        Pages++;
        var page = _ours.Pages.Find(key);
        if (page.IsEmpty)
        {
            _ourPage.AsSpan().Clear();
        }
        else
        {
            page.CopyTo(_ourPage);
        }

        if (_ourPage.AsSpan().SequenceEqual(_theirPage))
        {
            UnloggedPages += pastEnd ? 1 : 0;
            return;
        }

        if (!_exact && page.IsEmpty && (IsEmptyPage(_theirPage) || IsUnloggedInit(key)))
        {
            UnloggedPages++;
            return;
        }

        if (!_exact && key.Fork == Fork.VisibilityMap && _ours.Databases.Contains((key.Rel.DbOid, key.Rel.SpcOid)) && OnlyBitsMissing())
        {
            UnloggedPages++;
            return;
        }

        int at;
        try
        {
            at = FirstDifference(key);
        }
        catch (InvalidPageException invalid)
        {
            Differs($"{Describe(key.Rel)} {key.Fork} block {key.Block}: {invalid.Message}");
            return;
        }

        if (at < PageRedo.PageSize)
        {
            Differs(string.Create(
                CultureInfo.InvariantCulture,
                $"{Describe(key.Rel)} {key.Fork} block {key.Block}: first difference at byte {at}, redo 0x{_ourPage[at]:X2}, PostgreSQL 0x{_theirPage[at]:X2}; page LSN {PageLsn(_ourPage)}, PostgreSQL's {PageLsn(_theirPage)}."));
        }
    }

    /// <summary>Masks both pages in place as needed; 8,192 when they are then equal.</summary>
    private int FirstDifference(in PageKey key)
    {
        if (_exact)
        {
            // The header of a visibility map's page calls all of its bits unused space.
            if (key.Fork != Fork.VisibilityMap)
            {
                HideUnusedSpace(_ourPage);
                HideUnusedSpace(_theirPage);
            }

            if (_kinds.Find(key.Rel)?.Rmgr == RmgrId.Gist && key.Fork == Fork.Main)
            {
                HideTuplesDeleted(_ourPage, _theirPage);
            }
        }
        else if (key.Fork == Fork.VisibilityMap)
        {
            _ourPage.AsSpan(0, 10).Clear();
            _theirPage.AsSpan(0, 10).Clear();
        }
        else
        {
            byte rmgr = Rmgr(key, _theirPage);
            if (rmgr == RmgrId.Sequence)
            {
                // Of a relation that no catalog knows; of others see IsChecked.
                return PageRedo.PageSize;
            }

            PageMask.Apply(rmgr, _ourPage, key.Block);
            PageMask.Apply(rmgr, _theirPage, key.Block);
            if (rmgr == RmgrId.SpGist && key.Block == 0)
            {
                HideSpGistCache(_ourPage);
                HideSpGistCache(_theirPage);
            }
        }

        return _ourPage.AsSpan().CommonPrefixLength(_theirPage);
    }

    private bool IsChecked(in RelFileLocator rel, Fork fork)
    {
        if (_kinds.Find(rel) is not { } kind)
        {
            // Only unlogged relations have an init fork.
            return fork == Fork.Init || _ours.Pages.Blocks(rel, Fork.Init) is null;
        }

        return kind.Logged ? _exact || kind.Rmgr != RmgrId.Sequence : fork == Fork.Init;
    }

    /// <summary>The mask that a page needs.</summary>
    private byte Rmgr(in PageKey key, ReadOnlySpan<byte> page) => _kinds.Find(key.Rel)?.Rmgr ?? PageOwner.Rmgr(page, key.Block);

    private string Describe(in RelFileLocator rel) => _kinds.Find(rel) is { } kind ? $"{rel} ({kind.Name}, {RmgrNames.Rmgr(kind.Rmgr)})" : $"{rel}";

    /// <summary>Generic WAL writes nothing for an unlogged relation, its init fork included (<c>GenericXLogStart</c>): no standby has it either.</summary>
    private bool IsUnloggedInit(in PageKey key) => key.Fork == Fork.Init && _kinds.Find(key.Rel) is { Logged: false, Rmgr: RmgrId.Generic };

    private bool OnlyBitsMissing()
    {
        for (int at = BufferMask.HeaderSize; at < PageRedo.PageSize; at++)
        {
            if ((_ourPage[at] & ~_theirPage[at]) != 0)
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsEmptyPage(ReadOnlySpan<byte> page) =>
        !page.ContainsAnyExcept((byte)0) || BufferMask.Lower(page) <= BufferMask.HeaderSize;

    private static void HideUnusedSpace(Span<byte> page)
    {
        int lower = BufferMask.Lower(page);
        int upper = BufferMask.U16(page, 14);
        if (lower >= BufferMask.HeaderSize && lower <= upper && upper <= PageRedo.PageSize)
        {
            page[lower..upper].Clear();
        }
    }

    private static void HideTuplesDeleted(ReadOnlySpan<byte> ours, Span<byte> theirs)
    {
        const int opaqueSize = 16, flagsAt = 12, tuplesDeleted = 4;
        int opaque = BufferMask.Special(theirs, opaqueSize);
        if (opaque >= 0 && (BufferMask.U16(ours, opaque + flagsAt) & tuplesDeleted) == 0)
        {
            BufferMask.PutU16(theirs, opaque + flagsAt, BufferMask.U16(theirs, opaque + flagsAt) & ~tuplesDeleted);
        }
    }

    /// <summary><c>SpGistLUPCache</c> after the magic number (access/spgist_private.h).</summary>
    private static void HideSpGistCache(Span<byte> page) => page[(BufferMask.HeaderSize + 4)..].Clear();

    private static Lsn PageLsn(ReadOnlySpan<byte> page) => new(
        ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(page) << 32) | BinaryPrimitives.ReadUInt32LittleEndian(page[4..]));
}
