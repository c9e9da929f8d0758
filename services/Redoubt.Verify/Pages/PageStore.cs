using Redoubt.Wal;

namespace Redoubt.Verify.Pages;

/// <summary>
/// Every page of a database cluster as redo leaves it, with the size of every fork. Starts from a data directory after a clean
/// shutdown; all that follows comes from the log. Not thread-safe, but for <see cref="Find"/> of different pages.
/// </summary>
public sealed class PageStore : IDisposable
{
    private readonly PageSlots _slots;
    private readonly Dictionary<RelFileLocator, PageMap?[]> _relations = [];
    private readonly PageMap?[] _slrus = new PageMap?[4];

    // The forks last looked for, by the low bits of the relation number: records come in runs over few relations.
    private readonly (RelFileLocator Rel, PageMap?[]? Forks)[] _recent = new (RelFileLocator, PageMap?[]?)[64];

    /// <param name="folder">Where the pages' file without a name is made.</param>
    public PageStore(string folder) => _slots = new PageSlots(folder);

    /// <summary>All relations.</summary>
    public IEnumerable<RelFileLocator> Relations => _relations.Keys;

    /// <summary>Pages held.</summary>
    public int PageCount => _slots.Count;

    /// <summary>Blocks of a fork; null when the fork does not exist.</summary>
    public uint? Blocks(in RelFileLocator rel, Fork fork) =>
        _relations.TryGetValue(rel, out var forks) ? forks[(int)fork]?.Blocks : null;

    /// <summary>Pages of an SLRU, counted from page 0.</summary>
    public uint SlruPages(Fork slru) => _slrus[slru - Fork.SlruXact]?.Blocks ?? 0;

    /// <summary>The page for writing: made (all zero) when it does not exist, and its fork grows to include it.</summary>
    public Span<byte> Require(in PageKey key) => _slots.Span(Map(key).Require(key.Block, _slots));

    /// <summary>True when a relation's fork reaches to this block.</summary>
    public bool Contains(in PageKey key) => key.Block < (Blocks(key.Rel, key.Fork) ?? 0);

    /// <summary>The page; empty when it is all zero or beyond the end.</summary>
    public Span<byte> Find(in PageKey key)
    {
        PageMap? map = key.IsSlru
            ? _slrus[key.Fork - Fork.SlruXact]
            : _relations.GetValueOrDefault(key.Rel)?[(int)key.Fork];
        int slot = map?.Slot(key.Block) ?? -1;
        return slot < 0 ? [] : _slots.Span(slot);
    }

    public void Create(in RelFileLocator rel, Fork fork) => _ = Forks(rel)[(int)fork] ??= new PageMap();

    /// <summary>Sets a fork's size from a file, without pages.</summary>
    public void Grow(in RelFileLocator rel, Fork fork, uint blocks) => (Forks(rel)[(int)fork] ??= new PageMap()).Grow(blocks);

    public void Truncate(in RelFileLocator rel, Fork fork, uint blocks)
    {
        if (_relations.TryGetValue(rel, out var forks))
        {
            forks[(int)fork]?.Truncate(blocks, _slots);
        }
    }

    public void Drop(in RelFileLocator rel)
    {
        if (!_relations.Remove(rel, out var forks))
        {
            return;
        }

        Recent(rel) = default;

        foreach (var map in forks)
        {
            map?.Truncate(0, _slots);
        }
    }

    public void DropDatabase(uint dbOid, uint spcOid)
    {
        foreach (var rel in _relations.Keys.Where(rel => rel.DbOid == dbOid && rel.SpcOid == spcOid).ToList())
        {
            Drop(rel);
        }
    }

    public void CopyDatabase(uint dbOid, uint spcOid, uint sourceDbOid, uint sourceSpcOid)
    {
        foreach (var source in _relations.Keys.Where(rel => rel.DbOid == sourceDbOid && rel.SpcOid == sourceSpcOid).ToList())
        {
            var target = new RelFileLocator(spcOid, dbOid, source.RelNumber);
            Drop(target);
            for (Fork fork = Fork.Main; fork <= Fork.Init; fork++)
            {
                CopyFork(source, target, fork);
            }
        }
    }

    /// <summary>Forgets the pages that truncation of an SLRU before <paramref name="firstPage"/> removes.</summary>
    public void TruncateSlru(Fork slru, uint firstPage) => Forget(slru, page => SlruOrder.IsRemoved(slru, page, firstPage));

    /// <summary>Forgets the pages that truncation of multixact members from one page to before another removes, around the range.</summary>
    public void TruncateMembers(uint from, uint to) => Forget(Fork.SlruMultiXactMembers, page => SlruOrder.IsMembersPageIn(page, from, to));

    /// <summary>Reads every relation and SLRU page of a data directory, or those that <paramref name="include"/> is true for.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public void Load(string dataFolder, Func<PageKey, bool>? include = null)
    {
        byte[] page = new byte[PageRedo.PageSize];
        foreach (var file in RelationFile.Enumerate(dataFolder))
        {
            if (!file.IsTemporary)
            {
                LoadFile(file.Path, page, file.FirstBlock, block => new PageKey(file.Rel, file.Fork, block), include);
                Grow(file.Rel, file.Fork, file.FirstBlock + (uint)(new FileInfo(file.Path).Length / PageRedo.PageSize));
            }
        }

        foreach (var (slru, path, firstPage) in SlruFile.Enumerate(dataFolder))
        {
            LoadFile(path, page, firstPage, number => PageKey.Slru(slru, number), include);
        }
    }

    public void Dispose() => _slots.Dispose();

    private void Forget(Fork slru, Predicate<uint> removed)
    {
        if (_slrus[slru - Fork.SlruXact] is not { } map)
        {
            return;
        }

        for (uint page = 0; page < map.Blocks; page++)
        {
            if (map.Slot(page) >= 0 && removed(page))
            {
                map.Forget(page, _slots);
            }
        }
    }

    private void LoadFile(string path, byte[] page, uint first, Func<uint, PageKey> key, Func<PageKey, bool>? include)
    {
        using var file = File.OpenRead(path);
        for (uint block = first; file.ReadAtLeast(page, page.Length, throwOnEndOfStream: false) == page.Length; block++)
        {
            if ((page.AsSpan().ContainsAnyExcept((byte)0) || key(block).IsSlru) && include?.Invoke(key(block)) != false)
            {
                page.CopyTo(Require(key(block)));
            }
        }
    }

    private void CopyFork(in RelFileLocator source, in RelFileLocator target, Fork fork)
    {
        if (_relations[source][(int)fork] is not { } from)
        {
            return;
        }

        var to = Forks(target)[(int)fork] ??= new PageMap();
        to.Grow(from.Blocks);
        for (uint block = 0; block < from.Blocks; block++)
        {
            if (from.Slot(block) is var slot and >= 0)
            {
                int copy = to.Require(block, _slots);
                _slots.Span(slot).CopyTo(_slots.Span(copy));
            }
        }
    }

    private PageMap Map(in PageKey key)
    {
        if (!key.IsSlru)
        {
            return Forks(key.Rel)[(int)key.Fork] ??= new PageMap();
        }

        return _slrus[key.Fork - Fork.SlruXact] ??= new PageMap();
    }

    private PageMap?[] Forks(in RelFileLocator rel)
    {
        ref var recent = ref Recent(rel);
        if (recent.Forks is { } known && recent.Rel == rel)
        {
            return known;
        }

        if (!_relations.TryGetValue(rel, out var forks))
        {
            _relations[rel] = forks = new PageMap?[4];
        }

        recent = (rel, forks);
        return forks;
    }

    private ref (RelFileLocator Rel, PageMap?[]? Forks) Recent(in RelFileLocator rel) => ref _recent[rel.RelNumber % 64];
}
