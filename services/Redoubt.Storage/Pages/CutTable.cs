using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <summary>
/// Truncations and drops, in memory: a page version at or below a cut of its fork, relation, database or SLRU is gone for reads at or above the
/// cut. It makes dropping a large table one row instead of one a page, and keeps old pages from coming back when a file grows again.
/// </summary>
internal sealed class CutTable
{
    private const byte AllForks = 255;
    private readonly Lock _gate = new();
    private readonly Dictionary<RelFileLocator, List<(ulong Lsn, byte Fork, uint Blocks, uint From)>> _cuts = [];

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _cuts.Values.Sum(c => c.Count);
            }
        }
    }

    /// <summary>Adds a cut; adding it again changes nothing.</summary>
    /// <param name="rel">Relation number 0: the whole database in that tablespace.</param>
    /// <param name="fork">255: all forks.</param>
    /// <param name="blocks">First block that is gone; of an SLRU (relation 0/0/0) the page that older ones are gone before.</param>
    /// <param name="lsn">Versions at or below.</param>
    /// <param name="from">Of multixact members: the page where what is gone begins.</param>
    public void Add(in RelFileLocator rel, byte fork, uint blocks, ulong lsn, uint from = 0)
    {
        lock (_gate)
        {
            if (!_cuts.TryGetValue(rel, out var list))
            {
                _cuts.Add(rel, list = []);
            }

            if (!list.Contains((lsn, fork, blocks, from)))
            {
                list.Add((lsn, fork, blocks, from));
            }
        }
    }

    public void Remove(in RelFileLocator rel, byte fork, uint blocks, ulong lsn)
    {
        lock (_gate)
        {
            if (_cuts.TryGetValue(rel, out var list) && list.RemoveAll(c => c.Lsn == lsn && c.Fork == fork && c.Blocks == blocks) > 0 && list.Count == 0)
            {
                _cuts.Remove(rel);
            }
        }
    }

    public void Clear()
    {
        lock (_gate)
        {
            _cuts.Clear();
        }
    }

    private static bool IsGone(in PageKey key, uint blocks, uint from) => key.Fork switch
    {
        Fork.SlruMultiXactMembers => SlruOrder.IsMembersPageIn(key.Block, from, blocks),
        >= Fork.SlruXact => SlruOrder.IsRemoved(key.Fork, key.Block, blocks),
        _ => key.Block >= blocks,
    };

    /// <summary>Versions of the page at or below the result do not exist for a read at <paramref name="readPoint"/>; 0: none is hidden.</summary>
    public ulong Floor(in PageKey key, ulong readPoint)
    {
        lock (_gate)
        {
            ulong floor = 0;
            if (_cuts.TryGetValue(key.Rel, out var own))
            {
                foreach (var (lsn, fork, blocks, from) in own)
                {
                    if (lsn <= readPoint && lsn > floor && (fork == AllForks || fork == (byte)key.Fork) && IsGone(key, blocks, from))
                    {
                        floor = lsn;
                    }
                }
            }

            if (!key.IsSlru && _cuts.TryGetValue(key.Rel with { RelNumber = 0 }, out var database))
            {
                foreach (var (lsn, _, _, _) in database)
                {
                    floor = lsn <= readPoint && lsn > floor ? lsn : floor;
                }
            }

            return floor;
        }
    }
}
