using System.Buffers.Binary;
using Redoubt.Storage.Rocks;
using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <summary>
/// Versions of pages and small things by LSN, in RocksDB with its write-ahead log off: one column family, so that what a crash leaves is
/// always a prefix of what was written, and the applied LSN in it is true.
/// </summary>
internal sealed class PageStore : IDisposable
{
    private readonly RocksDb _db;
    private int _users = 1;
    private Action? _closed;

    private PageStore(string folder, RocksCache cache, long writeBufferBytes)
    {
        Folder = folder;
        FreeSpace = new FreeSpaceTable(this);
        _db = new RocksDb(folder, cache, writeBufferBytes);
    }

    public string Folder { get; }

    /// <summary>Truncations and drops.</summary>
    public CutTable Cuts { get; } = new();

    /// <summary>Room on heap pages.</summary>
    public FreeSpaceTable FreeSpace { get; }

    /// <summary>LSN that a crash now would come back to, at least.</summary>
    public ulong FlushedApplied { get; private set; }

    /// <summary>Bytes on disk.</summary>
    public long Bytes => _db.GetNumber("rocksdb.total-sst-files-size") ?? 0;

    /// <summary>Opens or makes the store in a folder of its own.</summary>
    /// <exception cref="StoreCorruptException">RocksDB refuses it.</exception>
    public static PageStore Open(string folder, RocksCache cache, long writeBufferBytes)
    {
        try
        {
            var store = new PageStore(folder, cache, writeBufferBytes);
            store.LoadCuts();
            store.FlushedApplied = store.ReadApplied();
            return store;
        }
        catch (RocksDbException e)
        {
            throw new StoreCorruptException($"page store {folder}: {e.Message}");
        }
    }

    /// <summary>The applied LSN as of the last write.</summary>
    public ulong ReadApplied() => GetLsn(StoreKeys.Applied);

    /// <summary>An LSN of the store's own state; 0 when it is not there.</summary>
    public ulong GetLsn(byte[] key) => Get(key) is { Length: 8 } value ? BinaryPrimitives.ReadUInt64LittleEndian(value) : 0;

    public byte[]? Get(byte[] key) => _db.Get(key);

    public void Write(WriteBatch batch) => _db.Write(batch);

    public void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) => _db.Put(key, value);

    /// <summary>A consistent view; dispose it soon.</summary>
    public Iterator NewIterator(bool scan = false) => _db.NewIterator(fillCache: !scan);

    /// <summary>A consistent view in which large values are empty.</summary>
    public Iterator NewWalk() => _db.NewWalk();

    /// <summary>Throws when the iterator stopped for another reason than having reached the end.</summary>
    /// <exception cref="StoreCorruptException">A block fails its checksum, or cannot be read.</exception>
    public static void Check(Iterator iterator)
    {
        try
        {
            iterator.ThrowOnError();
        }
        catch (RocksDbException e)
        {
            throw new StoreCorruptException("page store: " + e.Message);
        }
    }

    /// <summary>Makes everything written so far durable.</summary>
    public void Flush()
    {
        ulong applied = ReadApplied();
        _db.Flush();
        FlushedApplied = applied;
    }

    /// <summary>Newest version at or below an LSN of something that is not a page; null when there is none.</summary>
    public byte[]? Newest(byte kind, ReadOnlySpan<byte> name, ulong readPoint, out ulong lsn)
    {
        lsn = 0;
        using var iterator = NewIterator();
        iterator.SeekForPrev(StoreKeys.Versioned(kind, name, readPoint));
        if (!iterator.Valid())
        {
            Check(iterator);
            return null;
        }

        var key = iterator.GetKeySpan();
        if (key.Length != 1 + name.Length + 8 || key[0] != kind || !key[1..^8].SequenceEqual(name))
        {
            return null;
        }

        lsn = StoreKeys.LsnOf(key);
        return iterator.GetValueSpan().ToArray();
    }

    /// <summary>Size of a fork at an LSN; null when it does not exist.</summary>
    public uint? ForkSize(in RelFileLocator rel, byte fork, ulong readPoint)
    {
        Span<byte> key = stackalloc byte[StoreKeys.ForkLength];
        StoreKeys.WriteFork(key, StoreKeys.ForkSize, rel, fork, readPoint);
        return Newest(StoreKeys.ForkSize, key[1..^8], readPoint, out _) is { } value ? DecodeSize(value) : null;
    }

    public static uint? DecodeSize(ReadOnlySpan<byte> value)
    {
        uint blocks = BinaryPrimitives.ReadUInt32LittleEndian(value);
        return blocks == uint.MaxValue ? null : blocks;
    }

    /// <summary>For each name of a kind its newest version at or below an LSN.</summary>
    /// <param name="kind">First byte of the keys.</param>
    /// <param name="prefix">Names begin with this.</param>
    /// <param name="readPoint">The LSN.</param>
    /// <param name="visit">Gets name, value.</param>
    public void ForEachNewest(byte kind, ReadOnlySpan<byte> prefix, ulong readPoint, Action<byte[], byte[]> visit)
    {
        using var iterator = NewIterator(scan: true);
        byte[] start = [kind, .. prefix];
        byte[]? name = null, value = null;
        for (iterator.Seek(start); iterator.Valid() && iterator.GetKeySpan().StartsWith(start); iterator.Next())
        {
            var key = iterator.GetKeySpan();
            if (name is null || !key[1..^8].SequenceEqual(name))
            {
                Emit();
                name = key[1..^8].ToArray();
            }

            if (StoreKeys.LsnOf(key) <= readPoint)
            {
                value = iterator.GetValueSpan().ToArray();
            }
        }

        Check(iterator);
        Emit();

        void Emit()
        {
            if (name is not null && value is not null)
            {
                visit(name, value);
            }

            value = null;
        }
    }

    /// <summary>Reads the cuts into memory, again after rows came in bulk.</summary>
    public void LoadCuts()
    {
        Cuts.Clear();
        using var iterator = NewIterator();
        for (iterator.Seek([StoreKeys.Cut]); iterator.Valid() && iterator.GetKeySpan()[0] == StoreKeys.Cut; iterator.Next())
        {
            var (rel, fork, lsn) = StoreKeys.ReadFork(iterator.GetKeySpan());
            var value = iterator.GetValueSpan();
            uint from = value.Length == 8 ? BinaryPrimitives.ReadUInt32LittleEndian(value[4..]) : 0;
            Cuts.Add(rel, fork, BinaryPrimitives.ReadUInt32LittleEndian(value), lsn, from);
        }

        Check(iterator);
    }

    /// <summary>Keeps the store open until <see cref="Release"/>; false when it is closed already.</summary>
    public bool TryAcquire()
    {
        int users = Volatile.Read(ref _users);
        while (users > 0)
        {
            int seen = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (seen == users)
            {
                return true;
            }

            users = seen;
        }

        return false;
    }

    /// <summary>Ends what <see cref="TryAcquire"/> began; the last one out closes.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _users) == 0)
        {
            _db.Dispose();
            _closed?.Invoke();
        }
    }

    /// <summary>Closes once nobody reads any more, then calls <paramref name="closed"/>.</summary>
    public void Retire(Action closed)
    {
        _closed = closed;
        Release();
    }

    public void Dispose() => Release();
}
