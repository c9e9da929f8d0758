using System.Globalization;
using System.Text;

namespace Redoubt.Storage.Rocks;

/// <summary>
/// One database with a single column family and no write-ahead log. Safe for many threads; close it when nobody uses it any more.
/// </summary>
internal sealed unsafe class RocksDb : IDisposable
{
    private const ulong MinBlobBytes = 4 << 10;
    private const ulong BlobFileBytes = 64 << 20;
    private const double BlobGarbage = 0.5;
    private readonly nint _reads = ReadOptions(fillCache: true);
    private readonly nint _scans = ReadOptions(fillCache: false);
    private readonly nint _walks = ReadOptions(fillCache: false, withBlobs: false);
    private readonly nint _writes = RocksNative.rocksdb_writeoptions_create();
    private readonly nint _flush = RocksNative.rocksdb_flushoptions_create();
    private nint _handle;

    /// <summary>Opens or makes a database.</summary>
    /// <exception cref="RocksDbException">RocksDB refuses the folder.</exception>
    public RocksDb(string folder, RocksCache cache, long writeBufferBytes)
    {
        RocksNative.rocksdb_writeoptions_disable_WAL(_writes, 1);
        RocksNative.rocksdb_flushoptions_set_wait(_flush, 1);
        nint table = RocksNative.rocksdb_block_based_options_create();
        nint options = RocksNative.rocksdb_options_create();
        try
        {
            Configure(options, table, cache, writeBufferBytes);
            byte* error = null;
            fixed (byte* path = Encoding.UTF8.GetBytes(folder + '\0'))
            {
                _handle = RocksNative.rocksdb_open(options, path, &error);
            }

            RocksNative.Check(error);
        }
        catch
        {
            Dispose();
            throw;
        }
        finally
        {
            RocksNative.rocksdb_options_destroy(options);
            RocksNative.rocksdb_block_based_options_destroy(table);
        }
    }

    private nint Handle => _handle != 0 ? _handle : throw new ObjectDisposedException(nameof(RocksDb));

    /// <summary>A numeric property (rocksdb/db.h); null when there is none of this name.</summary>
    public long? GetNumber(string property)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(property + '\0'))
        {
            byte* value = RocksNative.rocksdb_property_value(Handle, name);
            if (value == null)
            {
                return null;
            }

            string text = System.Runtime.InteropServices.Marshal.PtrToStringUTF8((nint)value)!;
            RocksNative.rocksdb_free(value);
            return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null;
        }
    }

    /// <summary>The value of a key; null when there is none.</summary>
    /// <exception cref="RocksDbException">It cannot be read.</exception>
    public byte[]? Get(ReadOnlySpan<byte> key)
    {
        byte* error = null;
        nuint length;
        fixed (byte* k = key)
        {
            byte* value = RocksNative.rocksdb_get(Handle, _reads, k, (nuint)key.Length, &length, &error);
            RocksNative.Check(error);
            if (value == null)
            {
                return null;
            }

            byte[] copy = new ReadOnlySpan<byte>(value, checked((int)length)).ToArray();
            RocksNative.rocksdb_free(value);
            return copy;
        }
    }

    /// <exception cref="RocksDbException">It cannot be written.</exception>
    public void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        byte* error = null;
        fixed (byte* k = key, v = value)
        {
            RocksNative.rocksdb_put(Handle, _writes, k, (nuint)key.Length, v, (nuint)value.Length, &error);
        }

        RocksNative.Check(error);
    }

    /// <exception cref="RocksDbException">It cannot be written.</exception>
    public void Write(WriteBatch batch)
    {
        byte* error = null;
        RocksNative.rocksdb_write(Handle, _writes, batch.Handle, &error);
        GC.KeepAlive(batch);
        RocksNative.Check(error);
    }

    /// <summary>Makes everything written so far durable; waits for it.</summary>
    /// <exception cref="RocksDbException">It cannot be written.</exception>
    public void Flush()
    {
        byte* error = null;
        RocksNative.rocksdb_flush(Handle, _flush, &error);
        RocksNative.Check(error);
    }

    /// <summary>A consistent view.</summary>
    /// <param name="fillCache">False for a pass over much, which should not push out what is read often.</param>
    public Iterator NewIterator(bool fillCache) => new(RocksNative.rocksdb_create_iterator(Handle, fillCache ? _reads : _scans));

    /// <summary>A consistent view for a pass over much, in which values that stand in blob files are empty.</summary>
    public Iterator NewWalk() => new(RocksNative.rocksdb_create_iterator(Handle, _walks));

    public void Dispose()
    {
        if (_handle != 0)
        {
            RocksNative.rocksdb_close(_handle);
            _handle = 0;
        }

        RocksNative.rocksdb_readoptions_destroy(_reads);
        RocksNative.rocksdb_readoptions_destroy(_scans);
        RocksNative.rocksdb_readoptions_destroy(_walks);
        RocksNative.rocksdb_writeoptions_destroy(_writes);
        RocksNative.rocksdb_flushoptions_destroy(_flush);
    }

    private static nint ReadOptions(bool fillCache, bool withBlobs = true)
    {
        nint options = RocksNative.rocksdb_readoptions_create();
        RocksNative.rocksdb_readoptions_set_total_order_seek(options, 1);
        RocksNative.rocksdb_readoptions_set_fill_cache(options, fillCache ? (byte)1 : (byte)0);
        RocksNative.rocksdb_readoptions_set_allow_unprepared_value(options, withBlobs ? (byte)0 : (byte)1);
        return options;
    }

    private static void Configure(nint options, nint table, RocksCache cache, long writeBufferBytes)
    {
        RocksNative.rocksdb_block_based_options_set_block_cache(table, cache.Handle);
        RocksNative.rocksdb_block_based_options_set_block_size(table, 16 << 10);
        RocksNative.rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
        RocksNative.rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
        RocksNative.rocksdb_block_based_options_set_format_version(table, 5);
        RocksNative.rocksdb_options_set_create_if_missing(options, 1);
        RocksNative.rocksdb_options_set_write_buffer_size(options, (nuint)writeBufferBytes);
        RocksNative.rocksdb_options_set_max_write_buffer_number(options, 2);
        RocksNative.rocksdb_options_set_block_based_table_factory(options, table);
        RocksNative.rocksdb_options_set_compression(options, RocksNative.Lz4);
        RocksNative.rocksdb_options_set_max_open_files(options, 128);
        RocksNative.rocksdb_options_set_max_background_compactions(options, 1);
        RocksNative.rocksdb_options_set_max_background_flushes(options, 1);
        RocksNative.rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
        RocksNative.rocksdb_options_set_target_file_size_base(options, 16 << 20);
        RocksNative.rocksdb_options_set_max_bytes_for_level_base(options, 64 << 20);
        RocksNative.rocksdb_options_set_bytes_per_sync(options, 1 << 20);

        // Images of pages stand in files of their own: what merges the rows of changes does not compress them again each time.
        RocksNative.rocksdb_options_set_enable_blob_files(options, 1);
        RocksNative.rocksdb_options_set_min_blob_size(options, MinBlobBytes);
        RocksNative.rocksdb_options_set_blob_file_size(options, BlobFileBytes);
        RocksNative.rocksdb_options_set_blob_compression_type(options, RocksNative.Lz4);
        RocksNative.rocksdb_options_set_blob_cache(options, cache.Handle);
        RocksNative.rocksdb_options_set_enable_blob_gc(options, 1);
        RocksNative.rocksdb_options_set_blob_gc_age_cutoff(options, BlobGarbage);
        RocksNative.rocksdb_options_set_blob_gc_force_threshold(options, BlobGarbage);
        RocksNative.rocksdb_options_set_stats_dump_period_sec(options, 0);
        RocksNative.rocksdb_options_set_skip_stats_update_on_db_open(options, 1);
        RocksNative.rocksdb_options_set_keep_log_file_num(options, 2);
        RocksNative.rocksdb_options_set_max_log_file_size(options, 1 << 20);
        RocksNative.rocksdb_options_set_info_log_level(options, RocksNative.Warn);
    }
}
