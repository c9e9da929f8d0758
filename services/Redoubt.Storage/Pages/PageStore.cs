using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Redoubt.Wal;
using RocksDbSharp;

namespace Redoubt.Storage.Pages;

/// <summary>
/// Versions of pages and small things by LSN, in RocksDB with its write-ahead log off: one column family, so that what a crash leaves is
/// always a prefix of what was written, and the applied LSN in it is true.
/// </summary>
internal sealed class PageStore : IDisposable
{
    private static readonly WriteOptions NoLog = new WriteOptions().DisableWal(1);
    private readonly RocksDb _db;
    private int _users = 1;
    private Action? _closed;
    private readonly ReadOptions _reads = new ReadOptions().SetTotalOrderSeek(true);
    private readonly ReadOptions _scans = new ReadOptions().SetTotalOrderSeek(true).SetFillCache(false);
    private readonly DbOptions _options;
    private readonly BlockBasedTableOptions _table;

    private PageStore(string folder, Cache cache, ulong writeBufferBytes)
    {
        Folder = folder;
        FreeSpace = new FreeSpaceTable(this);
        _table = new BlockBasedTableOptions()
            .SetBlockCache(cache)
            .SetBlockSize(16 << 10)
            .SetCacheIndexAndFilterBlocks(true)
            .SetPinL0FilterAndIndexBlocksInCache(true)
            .SetFormatVersion(5);
        _options = new DbOptions()
            .SetCreateIfMissing(true)
            .SetWriteBufferSize(writeBufferBytes)
            .SetMaxWriteBufferNumber(2)
            .SetBlockBasedTableFactory(_table)
            .SetCompression(Compression.Lz4)
            .SetMaxOpenFiles(128)
            .SetMaxBackgroundCompactions(1)
            .SetMaxBackgroundFlushes(1)
            .SetLevelCompactionDynamicLevelBytes(true)
            .SetTargetFileSizeBase(16 << 20)
            .SetMaxBytesForLevelBase(64 << 20)
            .SetBytesPerSync(1 << 20)
            .SetStatsDumpPeriodSec(0)
            .SkipStatsUpdateOnOpen(true)
            .SetKeepLogFileNum(2)
            .SetMaxLogFileSize(1 << 20)
            .SetInfoLogLevel(InfoLogLevel.Warn);
        _db = RocksDb.Open(_options, folder);
    }

    public string Folder { get; }

    /// <summary>Truncations and drops.</summary>
    public CutTable Cuts { get; } = new();

    /// <summary>Room on heap pages.</summary>
    public FreeSpaceTable FreeSpace { get; }

    /// <summary>LSN that a crash now would come back to, at least.</summary>
    public ulong FlushedApplied { get; private set; }

    /// <summary>Bytes on disk.</summary>
    public long Bytes => ulong.TryParse(_db.GetProperty("rocksdb.total-sst-files-size"), out ulong bytes) ? (long)bytes : 0;

    /// <summary>Opens or makes the store in a folder of its own.</summary>
    /// <exception cref="StoreCorruptException">RocksDB refuses it.</exception>
    public static PageStore Open(string folder, Cache cache, ulong writeBufferBytes)
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
    public ulong ReadApplied() => Get(StoreKeys.Applied) is { Length: 8 } value ? BinaryPrimitives.ReadUInt64LittleEndian(value) : 0;

    public byte[]? Get(byte[] key) => _db.Get(key, null, _reads);

    public void Write(WriteBatch batch) => _db.Write(batch, NoLog);

    public void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) => _db.Put(key, value, null, NoLog);

    /// <summary>A consistent view; dispose it soon.</summary>
    public Iterator NewIterator(bool scan = false) => _db.NewIterator(null, scan ? _scans : _reads);

    /// <summary>Throws when the iterator stopped for another reason than having reached the end.</summary>
    /// <exception cref="StoreCorruptException">A block fails its checksum, or cannot be read.</exception>
    public static void Check(Iterator iterator)
    {
        Native.Instance.rocksdb_iter_get_error(iterator.Handle, out IntPtr error);
        if (error != IntPtr.Zero)
        {
            string message = Marshal.PtrToStringUTF8(error) ?? "unknown";
            Native.Instance.rocksdb_free(error);
            throw new StoreCorruptException("page store: " + message);
        }
    }

    /// <summary>Makes everything written so far durable.</summary>
    public void Flush()
    {
        ulong applied = ReadApplied();
        _db.Flush(new FlushOptions().SetWaitForFlush(true));
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
            Cuts.Add(rel, fork, BinaryPrimitives.ReadUInt32LittleEndian(iterator.GetValueSpan()), lsn);
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
