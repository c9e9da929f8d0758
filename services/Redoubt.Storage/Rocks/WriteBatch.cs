namespace Redoubt.Storage.Rocks;

/// <summary>Puts and deletes that are written together or not at all. Of one thread at a time.</summary>
internal sealed unsafe class WriteBatch : IDisposable
{
    private nint _handle = RocksNative.rocksdb_writebatch_create();

    ~WriteBatch() => Free();

    /// <summary>For <see cref="RocksDb.Write"/>.</summary>
    public nint Handle => _handle != 0 ? _handle : throw new ObjectDisposedException(nameof(WriteBatch));

    public void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        fixed (byte* k = key, v = value)
        {
            RocksNative.rocksdb_writebatch_put(Handle, k, (nuint)key.Length, v, (nuint)value.Length);
        }
    }

    public void Delete(ReadOnlySpan<byte> key)
    {
        fixed (byte* k = key)
        {
            RocksNative.rocksdb_writebatch_delete(Handle, k, (nuint)key.Length);
        }
    }

    public void Clear() => RocksNative.rocksdb_writebatch_clear(Handle);

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_handle != 0)
        {
            RocksNative.rocksdb_writebatch_destroy(_handle);
            _handle = 0;
        }
    }
}
