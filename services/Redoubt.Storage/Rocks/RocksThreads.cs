using Redoubt.Storage.LogFiles;

namespace Redoubt.Storage.Rocks;

/// <summary>The threads that all databases of the process share: one flushes, one compacts.</summary>
internal static class RocksThreads
{
    /// <summary>Starts them with a nice value, which a thread has from the one that starts it: the first open would start them otherwise.</summary>
    public static void Start(int nice)
    {
        var starter = new Thread(() =>
        {
            NativeIo.SetThreadNice(nice);
            nint environment = RocksNative.rocksdb_create_default_env();
            RocksNative.rocksdb_env_set_background_threads(environment, 1);
            RocksNative.rocksdb_env_set_high_priority_background_threads(environment, 1);
            RocksNative.rocksdb_env_destroy(environment);
        });
        starter.Start();
        starter.Join();
    }
}
