namespace Redoubt.Storage.Rocks;

/// <summary>A cursor over a consistent view. Dispose it before the database closes; keys and values last until the next move.</summary>
internal sealed unsafe class Iterator(nint handle) : IDisposable
{
    private nint _handle = handle;

    private nint Handle => _handle != 0 ? _handle : throw new ObjectDisposedException(nameof(Iterator));

    /// <summary>False at the end, and after an error: <see cref="ThrowOnError"/> tells them apart.</summary>
    public bool Valid() => RocksNative.rocksdb_iter_valid(Handle) != 0;

    public void SeekToFirst() => RocksNative.rocksdb_iter_seek_to_first(Handle);

    /// <summary>To the first key at or after this one.</summary>
    public void Seek(ReadOnlySpan<byte> key)
    {
        fixed (byte* k = key)
        {
            RocksNative.rocksdb_iter_seek(Handle, k, (nuint)key.Length);
        }
    }

    /// <summary>To the last key at or before this one.</summary>
    public void SeekForPrev(ReadOnlySpan<byte> key)
    {
        fixed (byte* k = key)
        {
            RocksNative.rocksdb_iter_seek_for_prev(Handle, k, (nuint)key.Length);
        }
    }

    public void Next() => RocksNative.rocksdb_iter_next(Handle);

    public void Prev() => RocksNative.rocksdb_iter_prev(Handle);

    public ReadOnlySpan<byte> GetKeySpan()
    {
        nuint length;
        byte* key = RocksNative.rocksdb_iter_key(Handle, &length);
        return new ReadOnlySpan<byte>(key, checked((int)length));
    }

    public ReadOnlySpan<byte> GetValueSpan()
    {
        nuint length;
        byte* value = RocksNative.rocksdb_iter_value(Handle, &length);
        return new ReadOnlySpan<byte>(value, checked((int)length));
    }

    /// <summary>Throws when it stopped for another reason than having reached the end.</summary>
    /// <exception cref="RocksDbException">A block fails its checksum, or cannot be read.</exception>
    public void ThrowOnError()
    {
        byte* error = null;
        RocksNative.rocksdb_iter_get_error(Handle, &error);
        RocksNative.Check(error);
    }

    public void Dispose()
    {
        if (_handle != 0)
        {
            RocksNative.rocksdb_iter_destroy(_handle);
            _handle = 0;
        }
    }
}
