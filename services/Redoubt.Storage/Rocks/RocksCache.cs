namespace Redoubt.Storage.Rocks;

/// <summary>An LRU cache of blocks that several databases share. Databases that use it keep it alive after it is disposed.</summary>
internal sealed class RocksCache(long bytes) : IDisposable
{
    public nint Handle { get; private set; } = RocksNative.rocksdb_cache_create_lru((nuint)bytes);

    public void Dispose()
    {
        if (Handle != 0)
        {
            RocksNative.rocksdb_cache_destroy(Handle);
            Handle = 0;
        }
    }
}
