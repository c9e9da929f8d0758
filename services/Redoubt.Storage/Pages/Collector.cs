using Redoubt.Storage.Rocks;
using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <summary>Removes versions that no read at or above the horizon can need: walks the store in slices, over and over.</summary>
internal sealed class Collector
{
    /// <summary>A chain below the horizon that is at least so long becomes one image.</summary>
    private const int ImageAfter = 32;

    private byte[] _cursor = [];
    private ulong _passHorizon;
    private RelFileLocator _heap;
    private uint _heapBlocks;
    private List<(byte[] Key, RelFileLocator Rel, byte Fork, uint Blocks, ulong Lsn)> _cuts = [];

    /// <summary>True between two walks.</summary>
    public bool IsAtEnd => _cursor.Length == 0;

    /// <summary>Looks at so many rows; removes what may go below <paramref name="horizon"/>.</summary>
    /// <returns>Rows removed.</returns>
    /// <exception cref="StoreCorruptException">A row is damaged; the slice ends there, nothing of that page was removed.</exception>
    public long Slice(PageStore store, PgVersion version, ulong horizon, int rows)
    {
        if (_cursor.Length == 0)
        {
            if (horizon <= _passHorizon)
            {
                return 0;
            }

            _passHorizon = horizon;
            _cuts = CutsBelow(store, horizon);
        }

        // What is remembered of a heap is good for one slice: it may grow.
        _heap = default;
        using var batch = new WriteBatch();
        using var scan = store.NewWalk();
        var group = new List<Row>();
        long removed = 0;
        int seen = 0, prefix = 0;
        bool ended = true;
        scan.Seek(_cursor.Length == 0 ? [0] : _cursor);
        for (; scan.Valid(); scan.Next())
        {
            var key = scan.GetKeySpan();
            if (group.Count > 0 && !(key.Length > prefix && key[..prefix].SequenceEqual(group[0].Key.AsSpan(0, prefix)) && key.Length == group[0].Key.Length))
            {
                removed += Collect(store, version, group, batch);
                group.Clear();
                if (seen >= rows)
                {
                    _cursor = key.ToArray();
                    ended = false;
                    break;
                }
            }

            seen++;
            if (key[0] is StoreKeys.Meta or StoreKeys.Cut)
            {
                continue;
            }

            if (key[0] is StoreKeys.FreeSpace or StoreKeys.FreeSpaceStale)
            {
                removed += CollectFreeSpace(store, key, batch);
                if (seen >= rows)
                {
                    _cursor = [.. key, 0];
                    ended = false;
                    break;
                }

                continue;
            }

            prefix = key[0] == StoreKeys.Page ? StoreKeys.PagePrefix : key.Length - 8;
            group.Add(Row.Of(key, scan.GetValueSpan()));
        }

        if (ended)
        {
            PageStore.Check(scan);
            removed += group.Count > 0 ? Collect(store, version, group, batch) : 0;
        }

        store.Write(batch);
        if (ended)
        {
            _cursor = [];
            removed += RemoveCuts(store);
        }

        return removed;
    }

    private long Collect(PageStore store, PgVersion version, List<Row> rows, WriteBatch batch) =>
        rows[0].Key[0] == StoreKeys.Page ? CollectPage(store, version, rows, batch) : CollectSmall(store, rows, batch);

    /// <summary>Free space has no versions: it goes with its heap, and where a heap was cut off.</summary>
    private long CollectFreeSpace(PageStore store, ReadOnlySpan<byte> key, WriteBatch batch)
    {
        var stripe = StoreKeys.ReadStripe(key);
        if (stripe.Rel != _heap)
        {
            _heap = stripe.Rel;
            _heapBlocks = store.ForkSize(stripe.Rel, (byte)Fork.Main, ulong.MaxValue) ?? 0;
        }

        if (stripe.First < _heapBlocks)
        {
            return 0;
        }

        batch.Delete(key.ToArray());
        return 1;
    }

    private long CollectSmall(PageStore store, List<Row> rows, WriteBatch batch)
    {
        int newest = rows.FindLastIndex(r => r.Last <= _passHorizon);
        if (newest < 0)
        {
            return 0;
        }

        // A thing that is gone at the horizon needs no row to say so.
        bool gone = rows[0].Key[0] switch
        {
            StoreKeys.ForkSize => store.Get(rows[newest].Key) is { } size && PageStore.DecodeSize(size) is null,
            StoreKeys.Control => false,
            _ => store.Get(rows[newest].Key) is [0, ..],
        };
        int remove = gone ? newest + 1 : newest;
        for (int i = 0; i < remove; i++)
        {
            batch.Delete(rows[i].Key);
        }

        return remove;
    }

    /// <remarks>A run that reaches beyond the horizon stays whole, and an image never stands in the middle of one. Rows do not overlap: what a row in a
    /// blob file holds is looked at only where the keys of its neighbours do not say enough.</remarks>
    private long CollectPage(PageStore store, PgVersion version, List<Row> rows, WriteBatch batch)
    {
        var key = PageKey.Read(rows[0].Key.AsSpan(1));
        ulong floor = store.Cuts.Floor(key, _passHorizon);
        if (rows.Count == 1 && floor == 0)
        {
            return 0;
        }

        int hidden = floor == 0 ? 0 : LastUpTo(store, rows, floor) + 1;
        int newest = LastUpTo(store, rows, _passHorizon);
        int start = newest;
        int changes = 0;
        for (; start >= hidden; start--)
        {
            if (start > hidden)
            {
                Look(store, rows, start);
            }

            changes += rows[start].Changes;
            if (start == hidden || rows[start].Kind != RowKind.Change)
            {
                break;
            }
        }

        int remove = Math.Max(hidden, Math.Max(start, 0));
        if (changes >= ImageAfter)
        {
            var page = new byte[PageRedo.PageSize];
            using var iterator = store.NewIterator();
            ulong at = rows[newest].Last;
            new PageReader(version).Read(iterator, key, at, floor, page);
            var imageKey = new byte[StoreKeys.PageLength];
            StoreKeys.WritePage(imageKey, key, at, StoreKeys.AfterAll);
            batch.Put(imageKey, RowValue.OfImage(page));
            remove = newest + 1;
        }

        for (int i = 0; i < remove; i++)
        {
            batch.Delete(rows[i].Key);
        }

        return remove;
    }

    /// <summary>Index of the last row that ends at or below an LSN; -1: none does.</summary>
    private static int LastUpTo(PageStore store, List<Row> rows, ulong lsn)
    {
        int i = rows.FindLastIndex(r => r.First <= lsn);
        if (i >= 0)
        {
            Look(store, rows, i);
        }

        return i >= 0 && rows[i].Last > lsn ? i - 1 : i;
    }

    private static void Look(PageStore store, List<Row> rows, int i)
    {
        if (rows[i].IsUnread)
        {
            rows[i] = Row.Of(rows[i].Key, store.Get(rows[i].Key));
        }
    }

    private static List<(byte[], RelFileLocator, byte, uint, ulong)> CutsBelow(PageStore store, ulong horizon)
    {
        var cuts = new List<(byte[], RelFileLocator, byte, uint, ulong)>();
        using var scan = store.NewIterator();
        for (scan.Seek([StoreKeys.Cut]); scan.Valid() && scan.GetKeySpan()[0] == StoreKeys.Cut; scan.Next())
        {
            var key = scan.GetKeySpan();
            var (rel, fork, lsn) = StoreKeys.ReadFork(key);
            if (lsn <= horizon)
            {
                cuts.Add((key.ToArray(), rel, fork, System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(scan.GetValueSpan()), lsn));
            }
        }

        PageStore.Check(scan);
        return cuts;
    }

    /// <summary>After a whole pass nothing is left that these cuts hide.</summary>
    private long RemoveCuts(PageStore store)
    {
        using var batch = new WriteBatch();
        foreach (var (key, _, _, _, _) in _cuts)
        {
            batch.Delete(key);
        }

        store.Write(batch);
        foreach (var (_, rel, fork, blocks, lsn) in _cuts)
        {
            store.Cuts.Remove(rel, fork, blocks, lsn);
        }

        long removed = _cuts.Count;
        _cuts = [];
        return removed;
    }

    /// <summary>A row of the scan.</summary>
    /// <param name="Key">Its key.</param>
    /// <param name="First">LSN in its key.</param>
    /// <param name="Last">Newest LSN in it.</param>
    /// <param name="Kind">Of a page's row: what it is.</param>
    /// <param name="Changes">Of a page's row: changes in it.</param>
    /// <param name="IsUnread">It stands in a blob file, and only its key is known.</param>
    private readonly record struct Row(byte[] Key, ulong First, ulong Last, RowKind Kind, int Changes, bool IsUnread)
    {
        /// <param name="key">Its key.</param>
        /// <param name="value">Its value; empty when it stands in a blob file.</param>
        public static Row Of(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
        {
            byte[] copy = key.ToArray();
            if (key[0] != StoreKeys.Page)
            {
                ulong lsn = StoreKeys.LsnOf(key);
                return new Row(copy, lsn, lsn, default, 0, IsUnread: false);
            }

            ulong first = StoreKeys.PageLsn(key);
            if (value.Length == 0)
            {
                bool image = StoreKeys.IsMadeImage(key);
                return new Row(copy, first, first, RowKind.Image, image ? 0 : 1, IsUnread: !image);
            }

            var (kind, last, changes) = RowValue.Peek(first, value);
            return new Row(copy, first, last, kind, changes, IsUnread: false);
        }
    }
}
