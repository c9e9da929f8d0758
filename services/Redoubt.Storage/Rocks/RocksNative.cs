using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[assembly: DisableRuntimeMarshalling]

namespace Redoubt.Storage.Rocks;

/// <summary>
/// The functions of RocksDB's C interface (rocksdb/c.h) that the page store uses. A binding of all of them at run time cost every start a
/// quarter of a second; these are bound when they are first called, by code compiled ahead of time.
/// </summary>
internal static unsafe partial class RocksNative
{
    /// <summary><c>rocksdb_lz4_compression</c>.</summary>
    public const int Lz4 = 4;

    /// <summary><c>WARN_LEVEL</c> (rocksdb/env.h).</summary>
    public const int Warn = 2;

    private const string Library = "librocksdb";

    /// <summary>Throws what a function reported by its last argument, and frees it.</summary>
    /// <exception cref="RocksDbException">It reported something.</exception>
    public static void Check(byte* error)
    {
        if (error != null)
        {
            string message = Marshal.PtrToStringUTF8((nint)error) ?? "unknown";
            rocksdb_free(error);
            throw new RocksDbException(message);
        }
    }

    [LibraryImport(Library)]
    public static partial void rocksdb_free(void* pointer);

    [LibraryImport(Library)]
    public static partial nint rocksdb_create_default_env();

    [LibraryImport(Library)]
    public static partial void rocksdb_env_set_background_threads(nint environment, int count);

    [LibraryImport(Library)]
    public static partial void rocksdb_env_set_high_priority_background_threads(nint environment, int count);

    [LibraryImport(Library)]
    public static partial void rocksdb_env_destroy(nint environment);

    [LibraryImport(Library)]
    public static partial nint rocksdb_cache_create_lru(nuint bytes);

    [LibraryImport(Library)]
    public static partial void rocksdb_cache_destroy(nint cache);

    [LibraryImport(Library)]
    public static partial nint rocksdb_block_based_options_create();

    [LibraryImport(Library)]
    public static partial void rocksdb_block_based_options_destroy(nint options);

    [LibraryImport(Library)]
    public static partial void rocksdb_block_based_options_set_block_cache(nint options, nint cache);

    [LibraryImport(Library)]
    public static partial void rocksdb_block_based_options_set_block_size(nint options, nuint bytes);

    [LibraryImport(Library)]
    public static partial void rocksdb_block_based_options_set_cache_index_and_filter_blocks(nint options, byte yes);

    [LibraryImport(Library)]
    public static partial void rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(nint options, byte yes);

    [LibraryImport(Library)]
    public static partial void rocksdb_block_based_options_set_format_version(nint options, int version);

    [LibraryImport(Library)]
    public static partial nint rocksdb_options_create();

    [LibraryImport(Library)]
    public static partial void rocksdb_options_destroy(nint options);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_create_if_missing(nint options, byte yes);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_write_buffer_size(nint options, nuint bytes);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_max_write_buffer_number(nint options, int count);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_block_based_table_factory(nint options, nint table);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_compression(nint options, int kind);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_max_open_files(nint options, int count);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_max_background_compactions(nint options, int count);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_max_background_flushes(nint options, int count);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_level_compaction_dynamic_level_bytes(nint options, byte yes);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_target_file_size_base(nint options, ulong bytes);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_max_bytes_for_level_base(nint options, ulong bytes);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_bytes_per_sync(nint options, ulong bytes);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_enable_blob_files(nint options, byte yes);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_min_blob_size(nint options, ulong bytes);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_blob_file_size(nint options, ulong bytes);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_blob_compression_type(nint options, int type);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_enable_blob_gc(nint options, byte yes);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_blob_gc_age_cutoff(nint options, double part);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_blob_gc_force_threshold(nint options, double part);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_blob_cache(nint options, nint cache);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_stats_dump_period_sec(nint options, uint seconds);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_skip_stats_update_on_db_open(nint options, byte yes);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_keep_log_file_num(nint options, nuint count);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_max_log_file_size(nint options, nuint bytes);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_info_log_level(nint options, int level);

    [LibraryImport(Library)]
    public static partial nint rocksdb_open(nint options, byte* path, byte** error);

    [LibraryImport(Library)]
    public static partial void rocksdb_close(nint db);

    [LibraryImport(Library)]
    public static partial byte* rocksdb_property_value(nint db, byte* name);

    [LibraryImport(Library)]
    public static partial nint rocksdb_readoptions_create();

    [LibraryImport(Library)]
    public static partial void rocksdb_readoptions_destroy(nint options);

    [LibraryImport(Library)]
    public static partial void rocksdb_readoptions_set_total_order_seek(nint options, byte yes);

    [LibraryImport(Library)]
    public static partial void rocksdb_readoptions_set_allow_unprepared_value(nint options, byte yes);

    [LibraryImport(Library)]
    public static partial void rocksdb_readoptions_set_fill_cache(nint options, byte yes);

    [LibraryImport(Library)]
    public static partial nint rocksdb_writeoptions_create();

    [LibraryImport(Library)]
    public static partial void rocksdb_writeoptions_destroy(nint options);

    [LibraryImport(Library)]
    public static partial void rocksdb_writeoptions_disable_WAL(nint options, int yes);

    [LibraryImport(Library)]
    public static partial nint rocksdb_flushoptions_create();

    [LibraryImport(Library)]
    public static partial void rocksdb_flushoptions_destroy(nint options);

    [LibraryImport(Library)]
    public static partial void rocksdb_flushoptions_set_wait(nint options, byte yes);

    [LibraryImport(Library)]
    public static partial void rocksdb_flush(nint db, nint options, byte** error);

    [LibraryImport(Library)]
    public static partial byte* rocksdb_get(nint db, nint options, byte* key, nuint keyLength, nuint* valueLength, byte** error);

    [LibraryImport(Library)]
    public static partial void rocksdb_put(nint db, nint options, byte* key, nuint keyLength, byte* value, nuint valueLength, byte** error);

    [LibraryImport(Library)]
    public static partial void rocksdb_write(nint db, nint options, nint batch, byte** error);

    [LibraryImport(Library)]
    public static partial nint rocksdb_writebatch_create();

    [LibraryImport(Library)]
    public static partial void rocksdb_writebatch_destroy(nint batch);

    [LibraryImport(Library)]
    public static partial void rocksdb_writebatch_clear(nint batch);

    [LibraryImport(Library)]
    public static partial void rocksdb_writebatch_put(nint batch, byte* key, nuint keyLength, byte* value, nuint valueLength);

    [LibraryImport(Library)]
    public static partial void rocksdb_writebatch_delete(nint batch, byte* key, nuint keyLength);

    [LibraryImport(Library)]
    public static partial nint rocksdb_create_iterator(nint db, nint options);

    [LibraryImport(Library)]
    public static partial void rocksdb_iter_destroy(nint iterator);

    [LibraryImport(Library)]
    public static partial byte rocksdb_iter_valid(nint iterator);

    [LibraryImport(Library)]
    public static partial void rocksdb_iter_seek_to_first(nint iterator);

    [LibraryImport(Library)]
    public static partial void rocksdb_iter_seek(nint iterator, byte* key, nuint keyLength);

    [LibraryImport(Library)]
    public static partial void rocksdb_iter_seek_for_prev(nint iterator, byte* key, nuint keyLength);

    [LibraryImport(Library)]
    public static partial void rocksdb_iter_next(nint iterator);

    [LibraryImport(Library)]
    public static partial void rocksdb_iter_prev(nint iterator);

    [LibraryImport(Library)]
    public static partial byte* rocksdb_iter_key(nint iterator, nuint* length);

    [LibraryImport(Library)]
    public static partial byte* rocksdb_iter_value(nint iterator, nuint* length);

    [LibraryImport(Library)]
    public static partial void rocksdb_iter_get_error(nint iterator, byte** error);
}
